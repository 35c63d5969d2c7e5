"""A file's text as an agent sees it: numbered lines, the numbers of the file itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Which lines of a file are shown, both counted from 1; `last` is None for the file's end."""

    first: int = 1
    last: int | None = None


def lines_of(text: str) -> list[str]:
    """The lines of a stored text, whose line ends are all alike; the one that ends it begins no other."""
    return text.removesuffix("\n").split("\n") if text else []


def view(text: str, window: Window, limit: int) -> str:
    """The lines of a window under a line that says which they are, `limit` characters of them at most.

    What is cut is said at its place, with the line to go on from.
    """
    lines = lines_of(text)
    first = max(1, window.first)
    last = len(lines) if window.last is None else min(window.last, len(lines))
    if not lines:
        return "[The file is empty]"
    if first > len(lines):
        return f"[Nothing to view: line {first} was asked for (out of {len(lines)} lines)]"
    header = _header(first, last, len(lines), window.last is None)
    return "\n".join([header, *_numbered(lines, first, last, limit)])


def _header(first: int, last: int, total: int, to_end: bool) -> str:
    of = f"(out of {total} lines)"
    if to_end:
        return f"[Viewing file start {of}]" if first == 1 else f"[Viewing from line {first} {of}]"
    return f"[Viewing lines {first} to {last} {of}]"


def _numbered(lines: Sequence[str], first: int, last: int, limit: int) -> list[str]:
    shown: list[str] = []
    left = limit
    for number in range(first, last + 1):
        line = f"{number}: {lines[number - 1]}"
        if len(line) + 1 > left:
            if number == first:
                shown.append(line[:left])
            what = f"line {number} goes on" if number == first else f"lines {number} to {last} follow"
            shown.append(f"[… {what}: {limit} characters of a file are shown. Open it at other lines.]")
            break
        shown.append(line)
        left -= len(line) + 1
    return shown
