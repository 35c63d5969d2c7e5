"""Secrets out of what tools say: no model, client or log is to read them. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

MIN_CHARS = 6  # what is shorter stands in texts by chance


class Redact:
    """Puts `[redacted NAME]` in the place of the values of secrets.

    They are found as they are, as JSON writes them, and as URLs do.
    """

    def __init__(self, secrets: Mapping[str, str]):
        self._names = {word: name for name, value in secrets.items() for word in _spellings(value)}
        self._longest = sorted(self._names, key=len, reverse=True)

    def __call__(self, text: str, *, cut: bool = False) -> str:
        """The text without them; one that was `cut` does not end with the beginning of one either."""
        told = "".join(_without(text, self._longest, self._names))
        return self._without_beginning(told) if cut else told

    def _without_beginning(self, text: str) -> str:
        for word, name in self._names.items():
            for length in range(min(len(word), len(text)), MIN_CHARS - 1, -1):
                if text.endswith(word[:length]):
                    return f"{text[:-length]}[redacted {name}]"
        return text


def _without(text: str, words: Sequence[str], names: Mapping[str, str]) -> Iterator[str]:
    """The pieces of a text. One search for each word: an alternation would cost both lengths multiplied."""
    for at, word in enumerate(words):
        if word in text:
            first, *rest = text.split(word)
            yield from _without(first, words[at + 1 :], names)
            for piece in rest:
                yield f"[redacted {names[word]}]"
                yield from _without(piece, words[at + 1 :], names)
            return
    yield text


def redacted(value: Any, redact: Redact) -> Any:
    """A JSON value with every text in it redacted, keys too."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(item, redact) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {redact(key): redacted(item, redact) for key, item in items}
    return value


def _spellings(value: str) -> Iterator[str]:
    """How a secret may be written; nothing for one that is too short to be told from other text."""
    bare = value.strip()
    if len(bare) < MIN_CHARS:
        return
    yield bare
    yield json.dumps(bare)[1:-1]
    yield json.dumps(bare, ensure_ascii=False)[1:-1]
    yield quote(bare, safe="")
