"""Servers that are commands: where they may run, in which environment, and what they last complained of."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TextIO

from perdure.mcp.errors import StdioRefused
from perdure.mcp.settings import McpSettings

LINES = 20
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def check_allowed(settings: McpSettings) -> None:
    """Raise `StdioRefused` where no commands are run."""
    if settings.stdio == "off":
        raise StdioRefused(
            "This server runs no commands for MCP (stdio). Use a server with a URL, or whoever runs this one "
            "can set PERDURE_MCP_STDIO=unsafe-local, which gives who adds such servers its user's rights."
        )


def environment_of(folder: Path, own: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a command: a folder of its own and what its configuration says.

    The SDK adds a few variables of ours (HOME, USER, SHELL…); all it would add are set here.
    """
    home = str(folder)
    nobody = {"HOME": home, "PATH": PATH, "USER": "perdure", "LOGNAME": "perdure", "SHELL": "/bin/sh"}
    return {**nobody, "TERM": "dumb", "TMPDIR": home, **own}


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
        threading.Thread(target=self._read, args=(reading,), name="mcp stderr", daemon=True).start()
        with os.fdopen(writing, "w") as file:
            yield file

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "r", errors="replace") as file:
            for line in iter(lambda: file.readline(2000), ""):
                self._lines.append(line.strip())
