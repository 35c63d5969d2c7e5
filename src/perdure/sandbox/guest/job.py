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


def prepare(broker: int | None = None) -> None:
    """Whatever a job of ours needs and does not depend on it: streams, and the way to its proxy."""
    sys.stdin = open(NOTHING, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _stream(OUT)
    sys.stderr = _stream(ERR)
    sys.argv = ["tool"]
    if broker is not None:
        dial.install(broker)


def run(channel: socket.socket) -> NoReturn:
    """Run what `REQUEST` says; `channel` is closed before its code begins."""
    job = _begin()
    if job["argv"]:
        os.lseek(REQUEST, 0, os.SEEK_SET)
        for number in (REQUEST, RESULT):
            os.set_inheritable(number, True)
        os.execve(job["argv"][0], job["argv"], job["env"])
    os.close(REQUEST)
    channel.close()
    leader = os.getpid()
    line = python.run(job)
    if os.getpid() == leader:  # a fork of the job's own comes by here, too
        _send(line)
    os._exit(0)


def rehearse() -> None:
    """Run a job a few times before any fork: what the interpreter learns by it, each of them knows."""
    job: dict[str, Any] = {"source": "def f(x):\n    return x", "function": "f", "prelude": "x = 1"}
    job |= {"arguments": {"x": {}}, "env": {}, "files": [], "output_bytes": 100}
    streams, nothing = (sys.stdin, sys.stdout, sys.stderr, sys.argv), os.dup(REQUEST)
    for _ in range(REHEARSALS):
        reading, writing = os.pipe()
        os.write(writing, json.dumps(job).encode())
        os.close(writing)
        os.dup2(reading, REQUEST)
        os.close(reading)
        prepare()
        python.run(_begin())
    os.dup2(nothing, REQUEST)
    os.close(nothing)
    sys.stdin, sys.stdout, sys.stderr, sys.argv = streams
    del sys.modules[python.MODULE]
    linecache.clearcache()


def _begin() -> dict[str, Any]:
    """The job, with its files and its environment in their places."""
    given = open(REQUEST, "rb", closefd=False)  # noqa: SIM115
    job = json.loads(given.readline())
    for name, size in job["files"]:
        _write(name, given.read(size))
    os.environ.update(job["env"])  # noqa: TID251 - the job's own
    return job


def _write(name: str, content: bytes) -> None:
    """A file of the job's own folder, which is fresh: no link can lead out of it."""
    path = os.path.join(".", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def _stream(number: int) -> io.TextIOWrapper:
    raw = open(number, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _send(line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(RESULT, rest) :]
