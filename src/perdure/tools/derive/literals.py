"""Values that stand in a source as literals, as far as JSON can hold them."""

import ast
import json
import math
from collections.abc import Sequence
from typing import Any, cast

MAX_CHARS = 2_000
WHOLE = range(-(2**63), 2**64)


class NotLiteral(Exception):
    """An expression that has to be run to be known, or that JSON cannot say."""


def value_of(node: ast.expr) -> Any:
    """The value of a literal as JSON says it; raises `NotLiteral`."""
    try:
        value = _plain(ast.literal_eval(node))
        if len(json.dumps(value)) > MAX_CHARS:
            raise NotLiteral
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise NotLiteral from error
    return value


def text_of(node: ast.expr | None) -> str | None:
    """The text of a literal string."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def choices(values: Sequence[Any]) -> dict[str, Any]:
    """The schema of a few fixed values; its type where they have one in common."""
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    kinds: set[Any] = {type(value) for value in values}
    kind = names.get(kinds.pop()) if len(kinds) == 1 else None
    return {**({"type": kind} if kind else {}), "enum": list(values)}


def _plain(value: Any) -> Any:
    """The value with lists for tuples; raises `NotLiteral` where JSON or a database has no such value."""
    match value:
        case None | bool() | str():
            return value
        case int() if value in WHOLE:
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_plain(item) for item in cast("Sequence[Any]", value)]
        case dict() if all(isinstance(key, str) for key in cast("dict[Any, Any]", value)):
            return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
        case _:
            raise NotLiteral
