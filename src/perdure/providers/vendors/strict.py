"""JSON Schema in the form that "strict" tools and outputs need, where it can be had."""

from collections.abc import Mapping
from typing import Any

COMPOSED = ("anyOf", "oneOf", "allOf")
# What every vendor takes in a strict schema; one limit too many and the whole request is refused.
TAKEN = frozenset(
    {
        *("type", "enum", "const", "title", "description", "properties", "required", "items"),
        *("additionalProperties", "$ref", "$defs", "format", *COMPOSED),
    }
)
FORMATS = frozenset({"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every object closed and every property required (optional ones nullable).

    Limits such as `minimum` are left out, for not all vendors take them; the tool has them itself.

    None if it has a free-form object: closing that would forbid every value but `{}`, so such a
    tool is sent as it is and not strict.
    """
    try:
        return _closed(dict(schema))
    except _FreeForm:
        return None


class _FreeForm(Exception):
    """Some object may hold anything."""


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if not schema.keys() & {"type", "$ref", "enum", "const", *COMPOSED}:
        raise _FreeForm
    made = {key: value for key, value in schema.items() if key in TAKEN}
    form = made.pop("format", None)
    if isinstance(form, str) and form in FORMATS:
        made["format"] = form
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        made |= _closed_object(schema)
    if kind == "array" and "items" not in schema:
        raise _FreeForm
    if isinstance(schema.get("items"), dict):
        made["items"] = _closed(schema["items"])
    for word in COMPOSED:
        if word in schema:
            made[word] = [_closed(part) for part in schema[word]]
    if "$defs" in schema:
        made["$defs"] = {name: _closed(part) for name, part in schema["$defs"].items()}
    return made


def _closed_object(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] | None = schema.get("properties")
    more = schema.get("additionalProperties", False)
    if more is not False or properties is None:
        raise _FreeForm
    required = set(schema.get("required", ()))
    made = {
        name: _closed(part) if name in required else _nullable(_closed(part))
        for name, part in properties.items()
    }
    return {"properties": made, "required": list(made), "additionalProperties": False}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null" and "enum" not in schema:
        return schema | {"type": [kind, "null"]}
    if isinstance(kind, list) and "null" in kind:
        return schema
    if any(part.get("type") == "null" for part in schema.get("anyOf", ())):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}
