"""HTTP/1.1 to models, straight on the event loop: kept connections, one call at a time on each.

An answer comes in many small pieces, and a general client passes each through many hands: a short
streamed call costs the processor 0.7 ms with httpx2 and 0.1 ms here.
"""

import asyncio
import socket
import ssl
from asyncio.staggered import staggered_race
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

CONNECT_SECONDS = 10.0
NEXT_ADDRESS_SECONDS = 0.25  # a name may have an address, of IPv6 often, that leads nowhere
KEPT_SECONDS = 30.0
MOST_KEPT = 64
PIECE = 1 << 16  # of a request's body, between looks at whether the other side still takes it


class ConnectionLost(Exception):
    """The other side closed the connection, or broke the protocol, before its answer was whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection leads."""

    host: str
    port: int
    tls: bool


class Connection(asyncio.Protocol):
    """One connection. After `ask`, the status and headers are there and `pieces` gives the body.

    Waits of more than `idle` seconds for the other side, sending or receiving, end in `TimeoutError`.
    """

    def __init__(self, home: "Connections", place: Place) -> None:
        self.place = place
        self.status = 0
        self.headers: dict[str, str] = {}
        self.kept_until = 0.0
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._lost: Exception | None = None
        self._full = False  # what was written waits to be sent
        self._waiter: asyncio.Future[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = HttpResponseParser(self)
        self._answering = self._headed = self._complete = self._lasting = False
        self._waiting: list[bytes] = []

    @property
    def reusable(self) -> bool:
        """Whether another call can follow on this connection."""
        return self._complete and self._lost is None and self._lasting

    async def ask(self, request: bytes, idle: float) -> None:
        """Send a whole request and wait for the head of its answer. Raises `ConnectionLost`."""
        self._begin()
        for start in range(0, len(request), PIECE):
            self._transport.write(request[start : start + PIECE])
            while self._full and not self._headed:
                await self._wait(idle)
        while not self._headed:
            await self._wait(idle)

    async def pieces(self, idle: float) -> AsyncGenerator[bytes, None]:
        """The body, as it comes. Raises `ConnectionLost` where it ends too early."""
        while True:
            if self._waiting:
                piece = b"".join(self._waiting)
                self._waiting.clear()
                yield piece
            elif self._complete:
                return
            else:
                await self._wait(idle)

    async def aclose(self) -> None:
        """Done with the answer: the connection waits for its next call, or is closed."""
        self._home.release(self)

    def hang_up(self) -> None:
        """Close at once."""
        self._transport.abort()

    async def _wait(self, seconds: float) -> None:
        """Until something happens."""
        if self._lost is not None:
            raise ConnectionLost(str(self._lost)) from self._lost
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, _time_out, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop's: connected."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """The event loop's: some bytes came."""
        self._answering = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._lost = self._lost or error
            self._transport.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The event loop's: the connection is gone."""
        if self._headed and not exc and not self.headers.keys() & {"content-length", "transfer-encoding"}:
            self._complete = True  # such a body ends with its connection
        self._lost = self._lost or exc or ConnectionError("the connection was closed.")
        self._wake()

    def pause_writing(self) -> None:
        """The event loop's: too much waits to be sent."""
        self._full = True

    def resume_writing(self) -> None:
        """The event loop's: there is room again."""
        self._full = False
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's: a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_message_begin(self) -> None:
        """The parser's: an answer begins."""
        if self._complete:
            raise ConnectionError("it spoke without being asked.")
        self.headers = {}

    def on_headers_complete(self) -> None:
        """The parser's: the head is whole."""
        self.status = self._parser.get_status_code()
        self._lasting = self._parser.should_keep_alive()
        self._headed = self.status >= 200  # before, it is a sign of life and the answer follows

    def on_body(self, body: bytes) -> None:
        """The parser's: some of the body."""
        self._waiting.append(body)

    def on_message_complete(self) -> None:
        """The parser's: the answer is whole."""
        self._complete = self._headed

    @property
    def silent(self) -> bool:
        """Whether nothing of an answer has come."""
        return not self._answering


class Connections:
    """The connections of one event loop that wait for their next call, by where they lead."""

    def __init__(self, trust: ssl.SSLContext):
        self._trust = trust
        self._kept: dict[Place, list[Connection]] = {}

    async def ask(self, place: Place, request: bytes, idle: float) -> Connection:
        """Send a request; a connection whose answer has begun, to be closed by `aclose`.

        Raises `ConnectionLost`, `TimeoutError` and `OSError` (no connection). A kept connection may be
        closed by the other side (llama.cpp does it after every stream) in the moment in which it is
        used again: then the request goes out once more on a new one.
        """
        kept = self._take(place)
        if kept is not None:
            try:
                return await _asked(kept, request, idle)
            except ConnectionLost:
                if not kept.silent:
                    raise
        return await _asked(await self._open(place), request, idle)

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next call, or close it where none can follow."""
        kept = self._kept.setdefault(connection.place, [])
        if connection.reusable and len(kept) < MOST_KEPT:
            connection.kept_until = asyncio.get_running_loop().time() + KEPT_SECONDS
            kept.append(connection)
        else:
            connection.hang_up()

    def close(self) -> None:
        """Hang up all connections that are not at work."""
        for kept in self._kept.values():
            for connection in kept:
                connection.hang_up()
        self._kept.clear()

    def _take(self, place: Place) -> Connection | None:
        """The connection used last, so that those not needed grow old; the old ones are closed."""
        kept = self._kept.get(place, [])
        now = asyncio.get_running_loop().time()
        while kept and (kept[0].kept_until < now or not kept[0].reusable):
            kept.pop(0).hang_up()
        while kept:
            connection = kept.pop()
            if connection.reusable:
                return connection
        return None

    async def _open(self, place: Place) -> Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._open_first(place)
        except TimeoutError as error:
            words = f"it did not take the connection within {CONNECT_SECONDS:g} seconds."
            raise ConnectionError(words) from error

    async def _open_first(self, place: Place) -> Connection:
        """The connection to the address that takes it first; the next is tried while one is silent.

        asyncio's loop could do this by itself, but the server's is uvloop's, which cannot.
        """
        loop = asyncio.get_running_loop()
        trust, name = (self._trust, place.host) if place.tls else (None, None)
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)

        async def connect(address: str) -> Connection:
            made = await loop.create_connection(
                lambda: Connection(self, place), address, place.port, ssl=trust, server_hostname=name
            )
            return made[1]

        tries = [partial(connect, address) for address in _by_turns(found)]
        opened, _, errors = await staggered_race(tries, NEXT_ADDRESS_SECONDS)
        if opened is None:
            raise next((error for error in errors if error), OSError(f"{place.host} has no address"))
        return opened


def _by_turns(found: Iterable[Any]) -> list[str]:
    """Addresses, one family and another by turns: a network often has no way for one of them."""
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append(address[0])
    turns = zip_longest(*families.values())
    return list(dict.fromkeys(address for turn in turns for address in turn if address))


async def _asked(connection: Connection, request: bytes, idle: float) -> Connection:
    try:
        await connection.ask(request, idle)
    except BaseException:
        connection.hang_up()
        raise
    return connection


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
