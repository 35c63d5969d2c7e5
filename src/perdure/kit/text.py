"""Text that both databases and JSON can hold."""

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

T = TypeVar("T")

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: T) -> T:
    """The value without NUL and without halves of surrogate pairs, in every text inside it."""
    made: Any = value
    if isinstance(value, str):
        plain = value.isascii() and "\x00" not in value  # most texts are, and it is cheap to tell
        made = value if plain else UNSTORABLE.sub("", value)
    elif isinstance(value, list | tuple):
        kept = (storable(item) for item in cast("list[Any]", value))
        made = list(kept) if isinstance(value, list) else tuple(kept)
    elif isinstance(value, dict):
        made = {storable(key): storable(item) for key, item in cast("dict[Any, Any]", value).items()}
    elif is_dataclass(value) and not isinstance(value, type):
        made = _rebuilt(value)
    return made


def _rebuilt(value: Any) -> Any:
    """A dataclass with storable fields; itself where they all are."""
    changed: dict[str, Any] = {}
    for field in fields(value):
        before = getattr(value, field.name)
        if (after := storable(before)) != before:
            changed[field.name] = after
    return replace(value, **changed) if changed else value
