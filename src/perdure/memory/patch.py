"""Patches of blocks: a text with lines to remove (`-`), to add (`+`) and to find the place by (` `).

Without headers a patch changes one block. With headers it holds several operations::

    *** Add Block: travel
    +Lives in Oslo.
    *** Update Block: human
    *** Move to: person
    @@
     Name: Ada
    -Likes tea
    +Likes coffee
    *** Delete Block: scratch

Pure; says what is wrong in words a model can act on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from perdure.memory.edits import NUMBER
from perdure.tools.base import ToolFailed

HEADER = re.compile(r"^\*\*\* (Add|Update|Delete) Block:\s*(.*?)\s*$")
MOVE = re.compile(r"^\*\*\* Move to:\s*(.*?)\s*$")
FRAME = re.compile(r"^\*\*\* (Begin|End) Patch\s*$")


@dataclass(frozen=True, slots=True)
class Operation:
    """What a patch does to one block."""

    kind: Literal["Add", "Update", "Delete"]
    label: str
    lines: tuple[str, ...] = ()
    move_to: str | None = None


def read_patch(label: str, patch: str) -> tuple[list[Operation], bool]:
    """The operations of a patch, and whether it has headers; without, it changes the block `label`."""
    lines = [line for line in patch.strip("\n").split("\n") if not FRAME.match(line)]
    if not any(HEADER.match(line) for line in lines):
        return [Operation("Update", label, tuple(_without_file_names(lines)))], False
    operations: list[Operation] = []
    for line in lines:
        if header := HEADER.match(line):
            kind = cast('Literal["Add", "Update", "Delete"]', header[1])
            operations.append(Operation(kind, header[2]))
        elif not operations:
            if line.strip():
                raise ToolFailed(f"The patch has text before its first header: {line!r}.")
        else:
            operations[-1] = _extended(operations[-1], line)
    return operations, True


def _extended(operation: Operation, line: str) -> Operation:
    if move := MOVE.match(line):
        return Operation(operation.kind, operation.label, operation.lines, move[1])
    return Operation(operation.kind, operation.label, (*operation.lines, line), operation.move_to)


def added_value(operation: Operation) -> str:
    """The value of a block that a patch adds: its lines, which all begin with `+`."""
    lines = _trimmed(operation.lines)
    for line in lines:
        if not line.startswith("+"):
            raise ToolFailed(f"Every line of a new block begins with '+', and this one does not: {line!r}.")
        _check_unnumbered(line[1:])
    return "\n".join(line[1:] for line in lines)


def patched(value: str, lines: Sequence[str]) -> str:
    """The value with every hunk applied; each must fit exactly one place."""
    hunks = _hunks(lines)
    if not hunks:
        raise ToolFailed(
            "The patch changes nothing: begin lines to remove with '-' and lines to add with '+'."
        )
    for hunk in hunks:
        value = _applied(value, hunk)
    return value


def _hunks(lines: Sequence[str]) -> list[list[str]]:
    """The lines between `@@` lines that change anything."""
    hunks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("@@"):
            hunks.append([])
        else:
            hunks[-1].append(line)
    return [_trimmed(hunk) for hunk in hunks if any(line[:1] in ("+", "-") for line in hunk)]


def _applied(value: str, hunk: Sequence[str]) -> str:
    before, after = _sides(hunk)
    text = value.split("\n") if value else []
    if not before:
        return "\n".join([*text, *after])
    places = [at for at in range(len(text) - len(before) + 1) if text[at : at + len(before)] == before]
    if not places:
        raise ToolFailed(
            "The patch does not fit: these lines do not stand in the block one after the other: "
            f"{_quoted(before)}. They must match exactly."
        )
    if len(places) > 1:
        found = ", ".join(str(at + 1) for at in places)
        raise ToolFailed(
            f"The patch fits several places, at lines {found}: {_quoted(before)}. Give more lines around "
            "the one you mean."
        )
    return "\n".join([*text[: places[0]], *after, *text[places[0] + len(before) :]])


def _sides(hunk: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines a hunk finds, and the lines that stand there afterwards."""
    before: list[str] = []
    after: list[str] = []
    for line in hunk:
        sign, text = line[:1], line[1:]
        if sign not in ("", " ", "+", "-"):
            raise ToolFailed(
                f"A line of a patch begins with '-' (remove), '+' (add) or a space (keep): {line!r} does not."
            )
        _check_unnumbered(text)
        if sign != "+":
            before.append(text)
        if sign != "-":
            after.append(text)
    return before, after


def _without_file_names(lines: Sequence[str]) -> Sequence[str]:
    """Without the two lines by which other tools name files."""
    named = len(lines) > 1 and lines[0].startswith("--- ") and lines[1].startswith("+++ ")
    return lines[2:] if named else lines


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Without empty lines at the end, which only part sections."""
    kept = list(lines)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _check_unnumbered(text: str) -> None:
    if NUMBER.match(text):
        raise ToolFailed("The patch has line numbers in it (such as '1→'). They are no part of the block.")


def _quoted(lines: Sequence[str]) -> str:
    return repr("\n".join(lines))[:300]
