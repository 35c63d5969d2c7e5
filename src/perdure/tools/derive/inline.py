"""Schemas that others made, without references: each is replaced by what it stands for."""

import re
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
TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
TOLD = ", ".join(sorted(TYPES))
SHAPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "description": ((str,), "text"),
    "properties": ((dict,), "an object"),
    "required": ((list,), "a list of names"),
    "enum": ((list,), "a list of values"),
    "items": ((dict, bool), "a schema"),
    "additionalProperties": ((dict, bool), "a schema, true or false"),
    **dict.fromkeys(SEVERAL, ((list,), "a list of schemas")),
}
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
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
    names = cast("dict[str, Any]", properties)
    if odd := [name for name in names if not NAME.match(name)]:
        raise NoSchema(f"{field}: {odd[0][:80]!r} is no name of a parameter that models take.")
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
        node = {key: value for key, value in cast("dict[str, Any]", schema).items() if _kept(key, value)}
        self._check_words(node)
        made = {key: self._value(key, value, inside, depth) for key, value in node.items() if key != "$ref"}
        reference = node.get("$ref")
        if reference is None:
            return _joined(made)
        if reference in inside:
            raise NoSchema(f"{self._field}: {reference} contains itself, which a tool's arguments cannot.")
        return {**self.walk(self._target(reference), (*inside, reference), depth + 1), **made}

    def _check_words(self, node: Mapping[str, Any]) -> None:
        """Refuse what vendors would refuse, with every message to an agent that has the tool."""
        for word, (kinds, told) in SHAPES.items():
            if word in node and not isinstance(node[word], kinds):
                raise NoSchema(f"{self._field}: `{word}` must be {told}.")
        types: Any = node.get("type", [])
        for name in cast("list[Any]", types) if isinstance(types, list) else [types]:
            if not isinstance(name, str) or name not in TYPES:
                raise NoSchema(
                    f"{self._field}: {str(name)[:40]!r} is no type; types are {', '.join(sorted(TYPES))}."
                )
        if not all(isinstance(name, str) for name in node.get("required", ())):
            raise NoSchema(f"{self._field}: `required` must be a list of names.")

    def _value(self, key: str, value: Any, inside: Sequence[str], depth: int) -> Any:
        if key in NAMED and isinstance(value, dict):
            named = cast("dict[str, Any]", value)
            return {name: self.walk(each, inside, depth + 1) for name, each in named.items()}
        if key == "additionalProperties" and isinstance(value, bool):
            return value
        if key in SINGLE and isinstance(value, dict | bool):
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
    """Not places for definitions, titles made of names, nor what generators write to say nothing."""
    nothing = (value is None and key in SHAPES) or (value == [] and key in ("enum", *SEVERAL))
    return not (nothing or key in DEFINITIONS or (key == "title" and isinstance(value, str)))


def _joined(schema: dict[str, Any]) -> dict[str, Any]:
    """`allOf` with one schema, as generators write it around a reference, is that schema."""
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(cast("list[Any]", parts)) == 1:
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        return {**cast("list[dict[str, Any]]", parts)[0], **rest}
    return schema
