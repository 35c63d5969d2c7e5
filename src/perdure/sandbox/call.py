"""One call seen from the server: its descriptors, what is read from them, its end."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from typing import Any

from perdure.sandbox.base import Job
from perdure.sandbox.request import write

CHUNK = 1 << 16
MAX_TOLD = 1 << 16
# Bytes around the value in its line: what JSON escapes, beside the limit that the inside keeps to.
MARGIN = 4096


class Sink:
    """The reading end of a pipe: keeps what comes first, counts and drops the rest."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int):
        self._loop = loop
        self._most = most
        self.kept = bytearray()
        self.dropped = 0
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._open = True

    def start(self) -> None:
        """Read whenever there is something."""
        self._loop.add_reader(self._reading, self._ready)

    def finish(self) -> None:
        """Take what is there, and close: no process is left that could write more, or none that counts."""
        if self._open:
            while self._ready():
                continue
            self.close()

    def close(self) -> None:
        """Read no more."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._reading)
            os.close(self._reading)

    def _ready(self) -> bool:
        """Take one portion; whether there may be more."""
        try:
            chunk = os.read(self._reading, CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._reading)
            return False
        room = self._most - len(self.kept)
        self.kept += chunk[: max(0, room)]
        self.dropped += max(0, len(chunk) - max(0, room))
        return True


class Call:
    """A call from its sending to the end of its last process."""

    def __init__(self, job: Job):
        loop = asyncio.get_running_loop()
        self._request = write(job)
        self.when_listening: Callable[[socket.socket], None] = socket.socket.close
        self.when_over: Callable[[], None] = lambda: None  # once, when no process of it lives any more
        most = job.limits.output_bytes
        self.stdout, self.stderr, self.result = Sink(loop, most), Sink(loop, most), Sink(loop, most + MARGIN)
        self._sinks = (self.stdout, self.stderr, self.result)
        self._life, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._life.setblocking(False)
        self._loop = loop
        self._most_files = job.limits.file_bytes
        self.ended: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        self.files: list[tuple[str, bytes]] = []
        self._over = False

    def send(self, control: socket.socket, message: bytes) -> None:
        """Give it to a zygote; raises OSError when that is gone. Its descriptors are then the zygote's."""
        numbers = [
            self._theirs.fileno(),
            self.stdout.writing,
            self.stderr.writing,
            self._request,
            self.result.writing,
        ]
        socket.send_fds(control, [message], numbers)
        self._hand_over()
        self._loop.add_reader(self._life.fileno(), self._told)
        for sink in self._sinks:
            sink.start()

    def drop(self) -> None:
        """Nobody wants it any more: its supervisor sees the end of `life` and kills all of it."""
        for sink in self._sinks:
            sink.close()
        if not self._over:
            self._life.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """It was never sent, or its zygote is dead."""
        self._hand_over()
        self._finish({})

    def _hand_over(self) -> None:
        if self._request >= 0:
            self._theirs.close()
            for number in (self._request, *(sink.writing for sink in self._sinks)):
                os.close(number)
            self._request = -1

    def _told(self) -> None:
        """The supervisor's last word, or its end without one; before it, where its proxy is to listen."""
        try:
            message, numbers, *_ = socket.recv_fds(self._life, MAX_TOLD, 4)
        except BlockingIOError:
            return
        except OSError:
            message, numbers = b"", []
        told = _read(message)
        if told.get("listening") and numbers:
            self.when_listening(socket.socket(fileno=numbers[0]))
            return
        try:
            if numbers and not self.ended.done():
                self.files = _files(numbers[0], told.get("files"), self._most_files)
        finally:
            for number in numbers:
                os.close(number)
        self._finish(told)

    def _finish(self, told: Mapping[str, Any]) -> None:
        if self._over:
            return
        self._over = True
        for sink in self._sinks:
            sink.finish()
        self._loop.remove_reader(self._life.fileno())
        self._life.close()
        if not self.ended.done():
            self.ended.set_result(told)
        self.when_over()


def _read(message: bytes) -> dict[str, Any]:
    """What was told, if it is an object; whoever sends garbage has told nothing."""
    try:
        told = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _files(number: int, listing: Any, most: int) -> list[tuple[str, bytes]]:
    """The contents that were passed with their names, as far as they are what they are said to be."""
    state = os.fstat(number)
    if not stat.S_ISREG(state.st_mode) or state.st_size > most or not isinstance(listing, list):
        return []
    found: list[tuple[str, bytes]] = []
    place = 0
    for entry in listing:  # pyright: ignore[reportUnknownVariableType]
        match entry:
            case [str() as name, int() as size] if 0 <= size <= most:
                found.append((name, os.pread(number, size, place)))
                place += size
            case _:  # pyright: ignore[reportUnknownVariableType]
                return found
    return found
