"""A worker seen from the server: a process inside that serves one call at a time, over one socket."""

import asyncio
import json
import os
import socket
import time
from typing import Any, Protocol

from perdure.sandbox.call import Call
from perdure.sandbox.cgroups import Group

MAX_TOLD = 1 << 16


class Freed(Protocol):
    """Takes a worker after each call, with whether it serves another, and one that ended without any."""

    def __call__(self, worker: "Worker", *, again: bool, served: bool) -> None: ...


class Worker:
    """`life` leads to it, and closing that ends it; `group` bounds it."""

    def __init__(self, life: socket.socket, group: Group | None, freed: Freed):
        self._life = life
        self._freed = freed
        self._loop = asyncio.get_running_loop()
        self.group = group
        self.call: Call | None = None
        self.since = time.monotonic()  # idle, if it is
        life.setblocking(False)
        self._loop.add_reader(life.fileno(), self._said)

    def begin(self, call: Call, message: bytes) -> None:
        """Give it a call; raises OSError when it is gone."""
        socket.send_fds(self._life, [message], call.descriptors)
        self.call = call
        call.sent()

    def drop(self) -> None:
        """Nobody wants its call any more: it kills all of that, tells so and ends."""
        if self.call:
            self.call.drop()
            self._life.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it; its call, if it has one, has ended."""
        if self._life.fileno() >= 0:
            self._loop.remove_reader(self._life.fileno())
            self._life.close()
            self._release({}, again=False)

    def _said(self) -> None:
        """The end of its call, or its own; before it, where the call's proxy is to answer."""
        try:
            message, numbers, *_ = socket.recv_fds(self._life, MAX_TOLD, 4)
        except BlockingIOError:
            return
        except OSError:
            message, numbers = b"", []
        told, call = read_told(message), self.call
        if call and numbers and told.get("listening"):
            call.listen(socket.socket(fileno=numbers[0]))
            return
        try:
            if call and numbers:
                call.keep(told.get("files"), numbers[0])
        finally:
            for number in numbers:
                os.close(number)
        if call and told.get("again") is True:
            self._release(told, again=True)
        else:
            self._loop.remove_reader(self._life.fileno())
            self._life.close()
            self._release(told, again=False)

    def _release(self, told: dict[str, Any], *, again: bool) -> None:
        call, self.call = self.call, None
        self.since = time.monotonic()
        self._freed(self, again=again, served=call is not None)
        if call:
            call.finish(told)


def read_told(message: bytes) -> dict[str, Any]:
    """What was told, if it is an object; whoever sends garbage has told nothing."""
    try:
        told = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownVariableType]
