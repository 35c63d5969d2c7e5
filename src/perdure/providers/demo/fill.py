"""Values for a JSON schema, for tools the demo knows nothing of and for structured answers. Pure."""

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

DEEPEST = 6


def fill(schema: Mapping[str, Any], text: str, depth: int = 0) -> Any:
    """A value that fits the schema: `text` where a string is wanted, the plainest value elsewhere."""
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if schema.get("enum"):
        return schema["enum"][0]
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword) and depth < DEEPEST:
            return fill(schema[keyword][0], text, depth + 1)
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        kind = cast("list[str]", kind)[0] if kind else None
    return _of_kind(kind, schema, text, depth)


def _of_kind(kind: str | None, schema: Mapping[str, Any], text: str, depth: int) -> Any:
    if kind == "object" or (kind is None and "properties" in schema):
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or ()
        if depth >= DEEPEST:
            return {}
        return {name: fill(_schema(properties.get(name)), text, depth + 1) for name in required}
    if kind == "array":
        count = int(schema.get("minItems") or 0) if depth < DEEPEST else 0
        return [fill(_schema(schema.get("items")), text, depth + 1) for _ in range(min(count, 10))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return {"boolean": False, "null": None}.get(kind or "", text)


def _schema(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def completed(arguments: Mapping[str, Any], parameters: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Arguments with every other required one filled in, in the schema's order: `thinking` comes first."""
    properties = _schema(parameters.get("properties"))
    required: list[str] = list(parameters.get("required") or ())
    known = {"request_heartbeat": True, "thinking": "The offline demo follows rules; it does not think."}
    values: dict[str, Any] = {}
    for name in [*properties, *(name for name in required if name not in properties)]:
        if name in arguments:
            values[name] = arguments[name]
        elif name in required:
            values[name] = known[name] if name in known else fill(_schema(properties.get(name)), text)
    return values | {name: value for name, value in arguments.items() if name not in values}


def named_arguments(text: str) -> dict[str, Any]:
    """Arguments as a person writes them: a JSON object, or `name=value` pairs."""
    start = text.find("{")
    if start >= 0:
        try:
            parsed: Any = orjson.loads(text[start : text.rfind("}") + 1])
            return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
        except orjson.JSONDecodeError:
            return {}
    pairs = re.findall(r"\b([A-Za-z_]\w*)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s,;]+)", text)
    return {name: _value(raw) for name, raw in pairs}


def _value(raw: str) -> Any:
    if raw[0] in "\"'":
        return raw[1:-1]
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
