"""Text that both databases and JSON can hold."""

import re
from typing import Any, TypeVar, cast

T = TypeVar("T")

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: T) -> T:
    """The value without NUL and without halves of surrogate pairs, in every text inside it."""
    made: Any = value
    if isinstance(value, str):
        plain = value.isascii() and "\x00" not in value  # by far the most texts, and the cheapest to tell
        made = value if plain else UNSTORABLE.sub("", value)
    elif isinstance(value, tuple):
        made = tuple(storable(item) for item in cast("tuple[Any, ...]", value))
    elif isinstance(value, list):
        made = [storable(item) for item in cast("list[Any]", value)]
    elif isinstance(value, dict):
        made = {storable(key): storable(item) for key, item in cast("dict[Any, Any]", value).items()}
    return made
