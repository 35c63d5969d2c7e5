"""One job, in a process that is confined already: its files, its environment, its code."""

import io
import json
import linecache
import os
import socket
import sys
from typing import Any, NoReturn

from . import dial, python

NOTHING, OUT, ERR, REQUEST, RESULT = range(5)
REHEARSALS = 8


def run(channel: socket.socket, broker: int | None) -> NoReturn:
    """Run what `REQUEST` says; `channel` is closed before its code begins."""
    given = os.fdopen(os.dup(REQUEST), "rb")
    job = json.loads(given.readline())
    for name, size in job["files"]:
        _write(name, given.read(size))
    given.close()
    os.environ.update(job["env"])  # noqa: TID251 - the job's own
    if job["argv"]:
        os.lseek(REQUEST, 0, os.SEEK_SET)
        for number in (REQUEST, RESULT):
            os.set_inheritable(number, True)
        os.execve(job["argv"][0], job["argv"], job["env"])
    if broker is not None:
        dial.install(broker)
    _streams()
    os.close(REQUEST)
    channel.close()
    leader = os.getpid()
    line = python.run(job)
    if os.getpid() == leader:  # a fork of the job's own comes by here, too
        _send(line)
    os._exit(0)


def rehearse() -> None:
    """Run a job a few times before any fork: what the interpreter learns by it, each of them knows."""
    job: dict[str, Any] = {
        "source": "def f(x):\n    return x",
        "function": "f",
        "arguments": {"x": {}},
        "prelude": "x = 1",
    }
    for _ in range(REHEARSALS):
        python.run(job | {"output_bytes": 100})
    del sys.modules[python.MODULE]
    linecache.clearcache()


def _write(name: str, content: bytes) -> None:
    """A file of the job's own folder, which is fresh: no link can lead out of it."""
    path = os.path.join(".", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def _streams() -> None:
    """Fresh text streams on the descriptors of the call; a line is sent when it is whole."""
    sys.stdin = open(NOTHING, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _stream(OUT)
    sys.stderr = _stream(ERR)
    sys.argv = ["tool"]


def _stream(number: int) -> io.TextIOWrapper:
    raw = open(number, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _send(line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(RESULT, rest) :]
