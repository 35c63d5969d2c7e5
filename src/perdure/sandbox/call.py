"""One call seen from the server: its descriptors, what is read from them, its end."""

import asyncio
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perdure.sandbox.base import Job
from perdure.sandbox.request import write

CHUNK = 1 << 16
# Is given a socket that listens inside, for a proxy to answer on.
Listen = Callable[[socket.socket], None]
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
    """A call from its sending to the end of its last process; `over` is called once, at that end.

    `listen` takes the socket that its proxy is to answer on, if it was granted a network.
    """

    def __init__(self, job: Job, argv: Sequence[str], over: Callable[[], None], listen: Listen):
        loop = asyncio.get_running_loop()
        self._request = write(job, argv)
        most = job.limits.output_bytes
        self.stdout, self.stderr, self.result = Sink(loop, most), Sink(loop, most), Sink(loop, most + MARGIN)
        self._sinks = (self.stdout, self.stderr, self.result)
        self._most_files = job.limits.file_bytes
        self._over = over
        self.listen = listen
        self.ended: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        self.files: list[tuple[str, bytes]] = []

    @property
    def descriptors(self) -> list[int]:
        """What goes inside: stdout, stderr, request, result."""
        return [self.stdout.writing, self.stderr.writing, self._request, self.result.writing]

    def sent(self) -> None:
        """Its descriptors are a worker's now; read what comes."""
        self._hand_over()
        for sink in self._sinks:
            sink.start()

    def drop(self) -> None:
        """Nobody wants to read it any more."""
        for sink in self._sinks:
            sink.close()

    def keep(self, listing: Any, number: int) -> None:
        """The files that are brought back, in one file in memory."""
        if not self.ended.done():
            self.files = _files(number, listing, self._most_files)

    def finish(self, told: Mapping[str, Any]) -> None:
        """No process of it lives any more; `told` says how it ended, nothing when nobody could say."""
        self._hand_over()
        for sink in self._sinks:
            sink.finish()
        if not self.ended.done():
            self.ended.set_result(told)
        self._over()

    def _hand_over(self) -> None:
        if self._request >= 0:
            for number in self.descriptors:
                os.close(number)
            self._request = -1


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
