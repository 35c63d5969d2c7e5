"""`{{ NAME }}` and `{{ NAME | default }}` in tokens, headers and variables: an agent's secrets. Pure."""

import re
from collections.abc import Iterable, Mapping

PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\|([^{}]*))?\}\}")


def names_in(text: str) -> set[str]:
    """The names that a text asks for."""
    return {match[1] for match in PLACE.finditer(text)}


def asks(texts: Iterable[str]) -> bool:
    """Whether any of these texts has a place to fill."""
    return any(PLACE.search(text) for text in texts)


def filled(text: str, values: Mapping[str, str], missing: set[str]) -> str:
    """The text with its places filled; adds to `missing` the names that have neither value nor default."""

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None and match[2] is not None:
            value = match[2].strip().strip("\"'")
        if value is None:
            missing.add(match[1])
        return value or ""

    return PLACE.sub(fill, text)


def is_only_places(text: str) -> bool:
    """Whether a text holds nothing but names to fill in, and so no secret."""
    rest = PLACE.sub(lambda match: match[2] or "", text)
    return bool(PLACE.search(text)) and rest.strip() in ("", "Bearer")
