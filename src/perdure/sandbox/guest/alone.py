"""Runs one job on a machine that is there for it alone, such as a container, and ends with it.

Does inside what the server does for a zygote on its own machine. Standard input brings the plan (a line of
JSON), answered with a line that says what there is; then what the job may use (a line) and the job itself.
The answer on standard output is a line with the sizes of what follows: stdout, stderr, result, kept files.
Where the other end stays (`attended`), the end of standard input is the end of everything.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import select
import shutil
import socket
import subprocess
import sys
from typing import Any, BinaryIO

from . import zygote

MAX_TOLD, MARGIN, CHUNK = 1 << 16, 4096, 1 << 16
NODE_SECONDS = 10.0
# Where the machine tells how often it was out of memory: control groups of both versions.
_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def main() -> None:
    """One job, from its plan to its answer."""
    given, out = sys.stdin.buffer, os.dup(1)
    os.dup2(2, 1)  # nothing but the answer belongs there
    told = _line(given)
    if not told:
        return
    control = _boot(told["plan"])
    _write(out, json.dumps(what_there_is(told)).encode() + b"\n")
    asked = _line(given)
    if asked:
        _write(out, answer(control, asked, given.read(asked["size"])))
    control.close()


def what_there_is(told: dict[str, Any]) -> dict[str, Any]:
    """What jobs can count on here: packages of Python, and Node.js, with our script for it in its place."""
    node = shutil.which("node")
    if node:
        with open(told["runner_path"], "w", encoding="utf-8") as file:
            file.write(told["runner"])
    found = importlib.metadata.distributions()
    return {
        "ready": True,
        "python": platform.python_version(),
        "packages": {each.metadata["Name"]: each.version for each in found},
        "node": [node, _version_of(node)] if node else None,
    }


def _version_of(node: str) -> str:
    try:
        asked = subprocess.run([node, "--version"], capture_output=True, timeout=NODE_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.decode(errors="replace").strip()


def _line(given: BinaryIO) -> dict[str, Any]:
    """An object, or nothing at the end."""
    line = given.readline()
    return json.loads(line) if line.strip() else {}


def _boot(plan: dict[str, Any]) -> socket.socket:
    """A zygote, ready for its call."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        zygote.main(theirs.detach())
    theirs.close()
    ours.send(json.dumps(plan).encode())
    said = json.loads(ours.recv(MAX_TOLD) or b"{}")
    if not said.get("ready"):
        raise SystemExit(str(said.get("failed") or "the interpreter ended"))
    return ours


class Kept:
    """What comes through a pipe: the first bytes are kept, the rest is counted."""

    def __init__(self, most: int):
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.data = bytearray()
        self.dropped = 0
        self._most = most

    def read(self) -> bool:
        """Take a portion; whether there may be more."""
        try:
            chunk = os.read(self.reading, CHUNK)
        except BlockingIOError:
            return False
        room = max(0, self._most - len(self.data))
        self.data += chunk[:room]
        self.dropped += max(0, len(chunk) - room)
        return bool(chunk)


def answer(control: socket.socket, asked: dict[str, Any], request: bytes) -> bytes:
    """Make the call and put together what came of it; its worker knows the machine's count of lost memory."""
    most = asked["call"]["limits"]["output_bytes"]
    kept = [Kept(most), Kept(most), Kept(most + MARGIN)]
    stdout, stderr, result = kept
    life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    events = [os.open(path, os.O_RDONLY) for path in _EVENTS if os.access(path, os.R_OK)][:1]
    told = {"expected": None, "groups": ["memory_events"] if events else []}
    socket.send_fds(control, [json.dumps(told).encode()], [theirs.fileno(), *events])
    theirs.close()
    numbers = [stdout.writing, stderr.writing, _memory(request), result.writing]
    socket.send_fds(life, [json.dumps(asked["call"]).encode()], numbers)
    for number in numbers:
        os.close(number)
    told, files = _listen(life, kept, attended=asked["attended"])
    for each in kept:
        while each.read():
            continue
    bodies = [*(bytes(each.data) for each in kept), files]
    head = {
        "told": told,
        "sizes": [len(body) for body in bodies],
        "dropped": [each.dropped for each in kept],
    }
    return b"".join([json.dumps(head).encode(), b"\n", *bodies])


def _listen(life: socket.socket, kept: list[Kept], *, attended: bool) -> tuple[dict[str, Any], bytes]:
    """What the call's worker says of its end, and the files it brings."""
    poll = select.poll()
    readers = {each.reading: each for each in kept}
    for number in readers:
        poll.register(number, select.POLLIN)
    poll.register(life, select.POLLIN)
    if attended:
        poll.register(0, select.POLLIN | select.POLLHUP)
    while True:
        for number, event in poll.poll():
            if number == life.fileno():
                return _last_words(life)
            if number == 0:
                raise SystemExit("nobody waits for the answer any more")
            if not readers[number].read() and event & select.POLLHUP:
                poll.unregister(number)


def _last_words(life: socket.socket) -> tuple[dict[str, Any], bytes]:
    message, numbers, *_ = socket.recv_fds(life, MAX_TOLD, 1)
    told = json.loads(message or b"{}")
    if not numbers:
        return told, b""
    with os.fdopen(numbers[0], "rb") as file:
        file.seek(0)
        return told, file.read()


def _memory(content: bytes) -> int:
    """A file in memory, read from its beginning."""
    number = os.memfd_create("job")
    _write(number, content)
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _write(number: int, content: bytes) -> None:
    rest = memoryview(content)
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        while rest:
            rest = rest[os.write(number, rest) :]
