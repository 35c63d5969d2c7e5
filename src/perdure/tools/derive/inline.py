"""Schemas that others made, without references: each is replaced by what it stands for."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from perdure.tools.derive.errors import NoSchema

MAX_DEPTH = 60
MAX_PIECES = 5_000
NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
SINGLE = frozenset(
    {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"}
)
SEVERAL = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
DEFINITIONS = frozenset({"$defs", "definitions"})


def inlined(schema: Mapping[str, Any], field: str) -> dict[str, Any]:
    """The schema of an object with all its `$ref`s in place, and without Pydantic's titles.

    Raises `NoSchema` for what is no object's schema, refers to nothing or contains itself;
    `field` is how the error calls it.
    """
    made = _Inliner(schema, field).walk(schema, (), 0)
    properties: object = made.setdefault("properties", {})
    if made.setdefault("type", "object") != "object" or not isinstance(properties, dict):
        raise NoSchema(f'{field}: it must be the schema of an object, with "properties".')
    required: object = made.get("required", [])
    if not isinstance(required, list) or not all(
        isinstance(name, str) for name in cast("list[object]", required)
    ):
        raise NoSchema(f"{field}: `required` must be a list of names.")
    return made


class _Inliner:
    def __init__(self, root: Mapping[str, Any], field: str):
        self._root = root
        self._field = field
        self._left = MAX_PIECES

    def walk(self, schema: Any, inside: Sequence[str], depth: int) -> dict[str, Any]:
        """A schema with its references replaced."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise NoSchema(f"{self._field}: it is too large.")
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if not isinstance(schema, dict):
            raise NoSchema(f"{self._field}: there is a {type(schema).__name__} where a schema must be.")
        node = cast("dict[str, Any]", schema)
        made = {
            key: self._value(key, value, inside, depth) for key, value in node.items() if _kept(key, value)
        }
        reference = node.get("$ref")
        if reference is None:
            return _joined(made)
        if reference in inside:
            raise NoSchema(f"{self._field}: {reference} contains itself, which a tool's arguments cannot.")
        return {**self.walk(self._target(reference), (*inside, reference), depth + 1), **made}

    def _value(self, key: str, value: Any, inside: Sequence[str], depth: int) -> Any:
        if key in NAMED and isinstance(value, dict):
            named = cast("dict[str, Any]", value)
            return {name: self.walk(each, inside, depth + 1) for name, each in named.items()}
        if key == "additionalProperties" and isinstance(value, bool):
            return value
        if key in SINGLE and isinstance(value, dict):
            return self.walk(value, inside, depth + 1)
        if key in SEVERAL and isinstance(value, list):
            return [self.walk(each, inside, depth + 1) for each in cast("list[Any]", value)]
        return value

    def _target(self, reference: Any) -> Any:
        """What `#/$defs/Name` points to."""
        place: Any = self._root
        steps = str(reference).split("/")
        for step in steps[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, dict) or name not in place:
                place = None
                break
            place = cast("dict[str, Any]", place)[name]
        if steps[0] != "#" or place is None:
            raise NoSchema(f"{self._field}: {str(reference)[:80]!r} refers to nothing in it.")
        return place


def _kept(key: str, value: Any) -> bool:
    """What is not a reference, a place for definitions or a title made of the name."""
    return key != "$ref" and key not in DEFINITIONS and not (key == "title" and isinstance(value, str))


def _joined(schema: dict[str, Any]) -> dict[str, Any]:
    """`allOf` with one schema, as generators write it around a reference, is that schema."""
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(cast("list[Any]", parts)) == 1:
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        return {**cast("list[dict[str, Any]]", parts)[0], **rest}
    return schema
