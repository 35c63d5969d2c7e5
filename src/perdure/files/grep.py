"""Finding lines by a pattern, in time that grows with the text alone: RE2 never goes back. Pure.

Patterns come from models, texts from strangers: with a backtracking engine a pair of them can run for years.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from perdure.kit.errors import InvalidArgument

ESCAPED = re.compile(r"\\.")
MOST_PATTERN = 1000
MOST_MEMORY = 4 * 1024 * 1024
MOST_SHOWN = 300  # characters of a line


@dataclass(frozen=True, slots=True)
class Match:
    """A line that matches, counted from 1, and where in it the first match begins."""

    line: int
    column: int


class Pattern:
    """A compiled pattern. Case counts only where the pattern has capitals; `^` and `$` are those of lines."""

    def __init__(self, pattern: str):
        re2: Any = import_module("re2")  # only where something is looked for

        if not pattern or len(pattern) > MOST_PATTERN:
            raise InvalidArgument(f"pattern: give 1 to {MOST_PATTERN} characters.")
        options: Any = re2.Options()
        options.case_sensitive = any(letter.isupper() for letter in ESCAPED.sub("", pattern))
        options.never_nl, options.log_errors, options.max_mem = True, False, MOST_MEMORY
        try:
            self._compiled: Any = re2.compile(f"(?m:{pattern})".encode(errors="replace"), options)
        except re2.error as error:
            raise InvalidArgument(
                f"pattern: {_words(error)}. The syntax is RE2's, without lookaround and backreferences; for "
                "a parenthesis write \\(."
            ) from error

    def lines(self, text: str) -> Iterator[Match]:
        """The lines of a text that match, in order."""
        content = text.encode()
        at, number, counted = 0, 1, 0
        while at <= len(content) and (found := self._compiled.search(content, at)):
            start: int = found.start()
            number += content.count(b"\n", counted, start)
            begin = content.rfind(b"\n", 0, start) + 1
            if start < len(content) or begin < len(content):
                yield Match(number, len(content[begin:start].decode(errors="replace")))
            counted = start
            end = content.find(b"\n", start)
            if end < 0:
                return
            at = end + 1


def _words(error: Exception) -> str:
    words = error.args[0] if error.args else error
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)


def excerpt(lines: Sequence[str], match: Match, around: int) -> list[str]:
    """The matching line, marked by `>`, between its neighbours; long lines are cut around the match."""
    first, last = max(1, match.line - around), min(len(lines), match.line + around)
    return [
        f"{'>' if number == match.line else ' '} {number}: "
        f"{_cut(lines[number - 1], match.column if number == match.line else 0)}"
        for number in range(first, last + 1)
    ]


def _cut(line: str, column: int) -> str:
    if len(line) <= MOST_SHOWN:
        return line
    start = max(0, min(column - MOST_SHOWN // 3, len(line) - MOST_SHOWN))
    end = start + MOST_SHOWN
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"
