"""Servers that are commands: where they may run, in which environment, and what they last complained of."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from perdure.mcp.errors import StdioRefused
from perdure.mcp.settings import McpSettings

if TYPE_CHECKING:
    from perdure.sandbox.residents import Residents

LINES = 20
LAST_WORDS_SECONDS = 0.1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def check_allowed(settings: McpSettings) -> None:
    """Raise `StdioRefused` where no commands are run."""
    if settings.stdio == "off":
        raise StdioRefused(
            "This server runs no commands for MCP (stdio): PERDURE_MCP_STDIO is off. Use a server with a URL."
        )


def environment_of(home: str, temporary: str, own: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a command: a home of its own and what its configuration says.

    The SDK adds a few variables of ours (HOME, USER, SHELL…); all it would add are set here.
    """
    nobody = {"HOME": home, "PATH": PATH, "USER": "perdure", "LOGNAME": "perdure", "SHELL": "/bin/sh"}
    return {**nobody, "TERM": "dumb", "TMPDIR": temporary, **own}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command runs: its home, whose it is, what holds it."""

    folder: Path
    organization_id: str
    residents: "Residents"


class Complaints:
    """The last lines that a command wrote to its standard error."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)

    @property
    def text(self) -> str:
        """The last of them, for an error's reader."""
        return " ".join(line for line in self._lines if line.strip())[-500:]

    @contextlib.contextmanager
    def file(self) -> Generator[TextIO]:
        """What to give to a command as its standard error."""
        reading, writing = os.pipe()
        reader = threading.Thread(target=self._read, args=(reading,), name="mcp stderr", daemon=True)
        reader.start()
        try:
            with os.fdopen(writing, "w") as file:
                yield file
        finally:
            reader.join(LAST_WORDS_SECONDS)  # a command that has ended leaves nothing to wait for

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "r", errors="replace") as file:
            for line in iter(lambda: file.readline(2000), ""):
                self._lines.append(line.strip())
