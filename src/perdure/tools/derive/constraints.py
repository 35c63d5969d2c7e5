"""What `Field(…)` and `Annotated[…]` say of a value beside its type."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from perdure.tools.derive.literals import NotLiteral, value_of
from perdure.tools.derive.module import Module

KEYWORDS: Mapping[str, str] = {
    "description": "description",
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
    "examples": "examples",
    "min_length": "min_length",
    "max_length": "max_length",
}
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "description": str,
    "pattern": str,
    "examples": list,
}
LENGTHS: Mapping[Any, Mapping[str, str]] = {
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
}


def options_of(call: ast.Call) -> dict[str, Any]:
    """The description and the limits that a call of `Field` gives as literals."""
    found: dict[str, Any] = {}
    for keyword in call.keywords:
        name = KEYWORDS.get(keyword.arg or "")
        if name is None:
            continue
        try:
            value = value_of(keyword.value)
        except NotLiteral:
            continue
        if isinstance(value, KINDS.get(name, (int, float))):
            found[name] = value
    return found


def said_by(module: Module, extras: Sequence[ast.expr]) -> dict[str, Any]:
    """What follows the type in `Annotated[type, …]`: a text, `Doc(…)`, `Field(…)`."""
    found: dict[str, Any] = {}
    for extra in extras:
        match extra:
            case ast.Constant(value=str() as text):
                found["description"] = text
            case ast.Call(func=function, args=[ast.Constant(value=str() as text), *_]) if (
                module.name_of(function) == "Doc"
            ):
                found["description"] = text
            case ast.Call(func=function) if module.name_of(function) == "Field":
                found |= options_of(extra)
            case _:
                pass
    return found


def constrained(schema: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with what was said beside its type; lengths count where the type has one."""
    lengths = LENGTHS.get(schema.get("type"), {})
    named = {lengths.get(name, name): value for name, value in options.items()}
    return {**schema, **{name: value for name, value in named.items() if name not in LENGTHS["array"]}}
