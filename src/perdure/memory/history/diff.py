"""Differences of two texts by lines, as parts and as unified text. Pure, and bounded in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from perdure.memory.versions.delta import alike

# Comparing takes the product of both numbers of lines, or worse; beyond this all that differs is one part.
MOST_PAIRS = 250_000
AROUND = 3

Tag = Literal["replace", "delete", "insert", "equal"]
Opcode = tuple[Tag, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that stand in the place of others. `old_line` and `new_line` count from 1."""

    old_line: int
    old: tuple[str, ...]
    new_line: int
    new: tuple[str, ...]


def parts(before: str, after: str) -> list[Part]:
    """What differs, from top to bottom."""
    old, new = before.split("\n"), after.split("\n")
    return [
        Part(i + 1, tuple(old[i:j]), k + 1, tuple(new[k:m]))
        for tag, i, j, k, m in Bounded(old, new).get_opcodes()
        if tag != "equal"
    ]


def unified(before: str, after: str, old_name: str, new_name: str) -> str:
    """The difference as patches are written, with three lines around each part; empty where there is none."""
    old, new = before.split("\n"), after.split("\n")
    groups = Bounded(old, new).get_grouped_opcodes(AROUND)
    lines = [line for group in groups for line in _hunk(group, old, new)]
    return "\n".join([f"--- {old_name}", f"+++ {new_name}", *lines]) if lines else ""


class Bounded(SequenceMatcher[str]):
    """difflib's matcher, which looks only at what stands between the lines that both begin and end with."""

    def __init__(self, old: Sequence[str], new: Sequence[str]):
        super().__init__(None, "", "")
        self._old, self._new = old, new

    def get_opcodes(self) -> list[Opcode]:
        """What to keep and what to replace, in order."""
        old, new = self._old, self._new
        start = alike(old, new)
        end = alike(old[start:][::-1], new[start:][::-1])
        between = _between(old[start : len(old) - end], new[start : len(new) - end])
        shifted: list[Opcode] = [
            (tag, i + start, j + start, k + start, m + start) for tag, i, j, k, m in between
        ]
        top: list[Opcode] = [("equal", 0, start, 0, start)] if start else []
        bottom: list[Opcode] = [("equal", len(old) - end, len(old), len(new) - end, len(new))] if end else []
        return [*top, *shifted, *bottom]


def _between(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    if not old and not new:
        return []
    if len(old) * len(new) > MOST_PAIRS:
        return [("replace", 0, len(old), 0, len(new))]
    return [*SequenceMatcher(None, old, new).get_opcodes()]


def _hunk(
    group: Sequence[tuple[str, int, int, int, int]], old: Sequence[str], new: Sequence[str]
) -> Iterator[str]:
    first, last = group[0], group[-1]
    yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
    for tag, i, j, k, m in group:
        if tag == "equal":
            yield from (f" {line}" for line in old[i:j])
        else:
            yield from (f"-{line}" for line in old[i:j])
            yield from (f"+{line}" for line in new[k:m])


def _range(start: int, end: int) -> str:
    """Lines as a hunk's head tells them: an empty range names the line before it."""
    count = end - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"
