"""What an agent says and does, shown in a terminal; plain text where there is none."""

import difflib
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

SHOWN = 110  # characters of a tool's return
ARGUMENT = 70  # characters of one argument


def open_console() -> Console:
    """The terminal, or whatever stands in its place; never fails at a character it cannot show."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace", line_buffering=True)
    return Console(highlight=False, soft_wrap=True)


@dataclass
class Answer:
    """Shows the frames of one answer as they come: text as it is written, a line for each tool call.

    `said` is all the agent said, `failed` what went wrong.
    """

    console: Console
    name: str = "agent"
    indent: str = ""
    said: str = ""
    failed: str | None = None
    waiting: dict[str, str] = field(default_factory=dict[str, str])  # calls to approve, by their ids
    _open: str = ""  # what the cursor's line holds: the kind of frame being written
    _names: dict[str, str] = field(default_factory=dict[str, str])
    _arguments: dict[str, str] = field(default_factory=dict[str, str])

    def show(self, frames: Iterable[Mapping[str, Any]]) -> None:
        """Show all frames, then end the line."""
        try:
            for frame in frames:
                self._show(frame)
        finally:
            self._calls()
            self._end()

    def _show(self, frame: Mapping[str, Any]) -> None:
        match frame.get("message_type"):
            case "assistant_message":
                self._write("text", words_of(frame["content"]))
            case "reasoning_message":
                self._write("reasoning", frame["reasoning"], style="dim italic")
            case "tool_call_message" | "approval_request_message" as kind:
                self._note(frame["tool_call"])
                if kind == "approval_request_message":
                    id = frame["tool_call"]["tool_call_id"]
                    self.waiting[id] = self._names[id]
            case "tool_return_message":
                self._calls()
                self._returned(frame)
            case "error_message":
                self.failed = frame.get("detail") or frame["message"]
            case _:
                pass

    def _write(self, kind: str, text: str, style: str = "") -> None:
        self._calls()
        if self._open != kind:
            self._end()
            label = f"[bold cyan]{escape(self.name)}[/] " if kind == "text" else ""
            self.console.print(f"{self.indent}{label}", end="")
            self._open = kind
            text = text.lstrip()
        if kind == "text":
            self.said += text
        text = text.replace("\n", f"\n{self.indent}")
        self.console.print(Text(text, style=style), end="")

    def _end(self) -> None:
        if self._open:
            self.console.print()
        self._open = ""

    def _note(self, piece: Mapping[str, Any]) -> None:
        """Keep a piece of a call; it is shown when it is whole."""
        id = piece["tool_call_id"]
        self._names[id] = piece.get("name") or self._names.get(id, "")
        self._arguments[id] = self._arguments.get(id, "") + (piece.get("arguments") or "")

    def _calls(self) -> None:
        """Show the calls that are whole now: something else has begun."""
        for id, arguments in self._arguments.items():
            self._end()
            line = f"{self.indent}⚙ {self._names[id]}({shown_arguments(arguments)})"
            self.console.print(Text(line, style="magenta"))
        self._arguments.clear()

    def _returned(self, frame: Mapping[str, Any]) -> None:
        self._end()
        returns = frame.get("tool_returns") or [frame]
        for each in returns:
            good = each["status"] == "success"
            text = shortened(words_of(each["tool_return"]), SHOWN)
            mark, style = ("→", "dim") if good else ("✗", "red")
            self.console.print(Text(f"{self.indent}  {mark} {text}", style=style))


def words_of(content: Any) -> str:
    """The text of a message's content, be it a string or parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def shown_arguments(arguments: str) -> str:
    """A call's JSON as Python would write it, each value cut to a readable length."""
    with suppress(ValueError):
        values = json.loads(arguments or "{}")
        if isinstance(values, dict):
            pairs = (
                f"{name}={shortened(json.dumps(value, ensure_ascii=False), ARGUMENT)}"
                for name, value in values.items()  # type: ignore[reportUnknownVariableType]
            )
            return ", ".join(pairs)
    return shortened(arguments, ARGUMENT)


def shortened(text: str, length: int) -> str:
    """A text on one line, cut where it is longer than that."""
    line = " · ".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def show_blocks(console: Console, blocks: Mapping[str, str], indent: str = "") -> None:
    """Memory blocks, each under its label."""
    for label, value in blocks.items():
        console.print(Text(f"{indent}{label}", style="bold"))
        for line in value.splitlines() or ["(empty)"]:
            console.print(Text(f"{indent}│ {line}"))


def show_change(console: Console, label: str, before: str, after: str, indent: str = "") -> None:
    """A block before and after: the lines that went, those that came, those that stayed."""
    console.print(Text(f"{indent}{label}", style="bold"))
    styles = {"-": "red", "+": "green"}
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        sign, text = line[0], line[2:]
        if sign != "?":
            console.print(Text(f"{indent}{sign} {text}", style=styles.get(sign, "")))
