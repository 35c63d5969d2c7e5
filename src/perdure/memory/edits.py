"""Edits of a block's text. Pure; whatever cannot be done is told in words a model can act on."""

import re

from perdure.tools.base import ToolFailed

NUMBER = re.compile(r"^[ \t]*\d+→", re.MULTILINE)


def check_unnumbered(**arguments: str) -> None:
    """Refuse texts with the line numbers that a prompt may show before lines."""
    for name, text in arguments.items():
        if NUMBER.search(text):
            raise ToolFailed(
                f"{name} has line numbers in it (such as '1→'). They are shown to point at lines and are no "
                "part of the block: leave them out."
            )


def insert_lines(value: str, text: str, line: int = -1) -> str:
    """The value with lines put after a line: 0 is the top, -1 the end."""
    ended = value.endswith("\n")
    lines = (value[:-1] if ended else value).split("\n") if value else []
    if not -1 <= line <= len(lines):
        raise ToolFailed(
            f"insert_line {line} is outside of the block, which has {len(lines)} lines: use 0 for the top, "
            f"1 to {len(lines)} for after that line, -1 for the end."
        )
    at = len(lines) if line == -1 else line
    return "\n".join([*lines[:at], text, *lines[at:]]) + ("\n" if ended else "")


def replace_once(value: str, old: str, new: str) -> str:
    """The value with the only place where `old` stands replaced."""
    found = _places(value, old)
    if len(found) > 1:
        lines = ", ".join(str(value.count("\n", 0, at) + 1) for at in found)
        raise ToolFailed(
            f"The text to replace stands {len(found)} times in the block, on lines {lines}. Give more of the "
            "text around the place you mean."
        )
    return value[: found[0]] + new + value[found[0] + len(old) :]


def replace_all(value: str, old: str, new: str) -> str:
    """The value with every place where `old` stands replaced."""
    _places(value, old)
    return value.replace(old, new)


def append_line(value: str, text: str) -> str:
    """The value with a text on a line of its own at the end."""
    return f"{value}\n{text}" if value else text


def _places(value: str, old: str) -> list[int]:
    """Where `old` stands, at least once; places may overlap."""
    if not old:
        raise ToolFailed("The text to replace is empty. Say which text, or use a tool that inserts.")
    found: list[int] = []
    at = value.find(old)
    while at >= 0:
        found.append(at)
        at = value.find(old, at + 1)
    if not found:
        raise ToolFailed(
            f"The text to replace does not stand in the block: {old[:200]!r}. It must match exactly, with "
            "all spaces and line breaks."
        )
    return found
