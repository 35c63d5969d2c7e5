"""A call's arguments: read from the model's text, checked against the tool's parameters. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from perdure.tools.base import ToolFailed

STRIPPED = ("request_heartbeat", "thinking")
NAMES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def read_arguments(text: str) -> dict[str, Any]:
    """The arguments in a model's text; raises `ToolFailed` saying where it is not a JSON object.

    Some models write several objects in a row: the first one counts.
    """
    text = text.strip()
    try:
        value, end = _decode(text)
    except RecursionError as error:
        raise ToolFailed("The arguments are nested too deeply. Send one JSON object.") from error
    except ValueError as error:
        raise ToolFailed(f"The arguments are not valid JSON: {error}. Send one JSON object.") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ToolFailed(f"The arguments must be a JSON object, not {_named(value)}.")
    rest = text[end:].lstrip()
    if rest and not rest.startswith("{"):
        raise ToolFailed(
            f"The arguments are not valid JSON: there is more after the object at char {end}: {rest[:40]!r}."
        )
    return cast("dict[str, Any]", value)


def _decode(text: str) -> tuple[Any, int]:
    """The first JSON value and where it ends; no text is an empty object."""
    return json.JSONDecoder().raw_decode(text) if text else ({}, 0)


def stripped(arguments: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the loop or a model adds, unless the tool has such a parameter itself."""
    own: Mapping[str, Any] = parameters.get("properties") or {}
    return {name: value for name, value in arguments.items() if name not in STRIPPED or name in own}


def check(
    parameters: Mapping[str, Any], arguments: Mapping[str, Any], *, partial: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The arguments in the types the tool wants, and what is wrong with them.

    Knows the part of JSON Schema that tools use. `"3"` passes for 3 where a number is wanted. A null
    where none is allowed is as good as nothing, so that the tool's default counts.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    own: Mapping[str, Any] = parameters.get("properties") or {}
    further: Any = parameters.get("additionalProperties")
    required: Sequence[str] = parameters.get("required") or ()
    for name, value in arguments.items():
        if name in own:
            if value is None and not _takes_null(own[name]):
                continue
            values[name] = _cast(own[name], value, name, faults)
        elif further:
            values[name] = value if further is True else _cast(further, value, name, faults)
        else:
            known = ", ".join(own) or "it takes none"
            faults.append(f"unknown parameter {name!r} (parameters: {known})")
    if not partial:
        faults += (f"missing parameter {name!r}" for name in required if name not in values)
    return values, faults


def _cast(schema: Mapping[str, Any], value: Any, path: str, faults: list[str]) -> Any:
    """The value as the schema wants it; adds to `faults` where it cannot be."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _cast_any(choices, value, path, faults)
    kinds: Any = schema.get("type")
    wanted = [kinds] if isinstance(kinds, str) else list(kinds or ())
    if wanted:
        fitting = [kind for kind in wanted if _is(kind, value)]
        if not fitting:
            made = next((made for kind in wanted if (made := _coerced(kind, value)) is not None), None)
            if made is None:
                names = " or ".join(NAMES.get(kind, kind) for kind in wanted)
                faults.append(f"{path!r} must be {names}, not {_named(value)}")
                return value
            value = made
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{path!r} must be one of {json.dumps(schema['enum'])}, not {json.dumps(value)}")
    return _cast_inside(schema, value, path, faults)


def _cast_inside(schema: Mapping[str, Any], value: Any, path: str, faults: list[str]) -> Any:
    """The items of a list and the fields of an object."""
    if isinstance(value, list) and schema.get("items"):
        items = cast("list[Any]", value)
        return [_cast(schema["items"], item, f"{path}[{at}]", faults) for at, item in enumerate(items)]
    if isinstance(value, dict) and (schema.get("properties") or schema.get("additionalProperties")):
        values, wrong = check(schema, cast("dict[str, Any]", value))
        faults += (f"{path}: {fault}" for fault in wrong)
        return values
    return cast("Any", value)


def _cast_any(choices: Sequence[Mapping[str, Any]], value: Any, path: str, faults: list[str]) -> Any:
    """The value as the first alternative that takes it."""
    exact = [choice for choice in choices if _is(choice.get("type"), value)]
    attempts: list[list[str]] = []
    for choice in [*exact, *choices]:
        wrong: list[str] = []
        made = _cast(choice, value, path, wrong)
        if not wrong:
            return made
        attempts.append(wrong)
    faults += attempts[0]
    return value


def _is(kind: str | None, value: Any) -> bool:
    match kind:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string" | "boolean" | "array" | "object":
            return isinstance(value, {"string": str, "boolean": bool, "array": list, "object": dict}[kind])
        case _:
            return kind == "null" and value is None


def _coerced(kind: str, value: Any) -> Any:
    """The value in another type when nothing is lost; None when it cannot be."""
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _parsed(kind, value.strip()) if isinstance(value, str) else None


def _parsed(kind: str, text: str) -> Any:
    """What a model wrote as a string though it is a number, a bool, a list or an object."""
    readers: Mapping[str, Callable[[str], Any]] = {
        "integer": int,
        "number": float,
        "boolean": {"true": True, "false": False}.get,
        "array": json.loads,
        "object": json.loads,
    }
    try:
        value = readers[kind](text.lower() if kind == "boolean" else text)
    except (KeyError, ValueError, RecursionError):
        return None
    return value if _is(kind, value) else None


def _takes_null(schema: Mapping[str, Any]) -> bool:
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return any(_takes_null(choice) for choice in choices)
    kinds = schema.get("type")
    return kinds in (None, "null") or (isinstance(kinds, list) and "null" in kinds)


def _named(value: Any) -> str:
    """A value as a reader calls it."""
    if value is None:
        return "null"
    kinds = ("boolean", "integer", "number", "string", "array", "object")
    kind = next((kind for kind in kinds if _is(kind, value)), "object")
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return f"{NAMES[kind] if kind != 'boolean' else 'a bool'} ({shown[:40]})"
