"""The proxy of one job: an HTTP proxy on a socket that only the job can reach.

It resolves each name once, refuses addresses that are not public, and connects to the address it checked.
What is refused is said in the status line, too: it is all that most clients show of a proxy's answer.
"""

import asyncio
import os
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from perdure.kit.addresses import FROM_A_JOB, Address, is_public, usable
from perdure.kit.outbound import Resolve, resolve
from perdure.sandbox.base import Network
from perdure.sandbox.egress.hosts import Place, granted, server_of
from perdure.sandbox.egress.request import Asked, BadRequest, read_head
from perdure.sandbox.guest.loopback import PORT
from perdure.sandbox.settings import EgressSettings

KIND = 0xF  # of the type of a socket, without its flags
MAX_REFUSED = 10  # kept to be told
MAX_HEAD = 32 * 1024
PIECE = 64 * 1024
HEAD_SECONDS = 10.0
BACKLOG = 64
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Refused(Exception):
    """The proxy's own answer to a request: a status and a line of words."""

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status = status

    def answer(self) -> bytes:
        """It as an HTTP response, which ends the connection."""
        words = " ".join(str(self).split()).encode("ascii", "replace")
        head = (
            b"HTTP/1.1 %d %b" % (self.status, words),
            b"Content-Type: text/plain",
            b"Content-Length: %d" % (len(words) + 1),
            b"Connection: close",
        )
        return b"\r\n".join([*head, b"", words + b"\n"])


class Egress:
    """What one job may reach. `networks` may be reached although they are not public."""

    def __init__(
        self,
        network: Network,
        settings: EgressSettings,
        networks: Sequence[IPv4Network | IPv6Network] = (),
        resolve: Resolve = resolve,
    ):
        self._hosts = network.hosts
        self._own = server_of(network)
        self._marks = (network.server or "").startswith("http:")
        self._settings = settings
        self._networks = networks
        self._resolve = resolve
        self._known: dict[Place, Sequence[str]] = {}
        self._left = settings.max_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0
        self._calls = 0
        self._refused: deque[tuple[float, str]] = deque(maxlen=MAX_REFUSED)

    def listen(self, listener: socket.socket) -> None:
        """Answer on a socket that listens already, until `close`, which closes it, too."""
        listener.setblocking(False)
        of_pairs = listener.type & KIND == socket.SOCK_SEQPACKET
        self._keep(self._take_pairs(listener) if of_pairs else self._serve(listener))

    def refused(self, since: float = 0.0) -> Sequence[str]:
        """What was refused since then, in words, once each: not every client shows a proxy's answer."""
        return tuple(dict.fromkeys(words for when, words in self._refused if when >= since))

    @contextmanager
    def call(self) -> Generator[Callable[[], Sequence[str]]]:
        """A call that shares this with others, one after the other or side by side.

        It brings the bytes it may carry and takes them along, and knows no name. Yields what tells what was
        refused since it began.
        """
        begun, most = time.monotonic(), self._settings.max_bytes
        self._left = most + max(0, self._left) if self._calls else most
        self._calls += 1
        self._known.clear()
        try:
            yield lambda: self.refused(begun)
        finally:
            self._calls -= 1
            self._left = min(self._left, self._calls * most)

    async def close(self) -> None:
        """End all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, listener: socket.socket) -> None:
        server = await asyncio.start_server(self._begin, sock=listener, limit=MAX_HEAD, backlog=BACKLOG)
        try:
            await asyncio.get_running_loop().create_future()  # until it is cancelled
        finally:
            server.close()

    async def _take_pairs(self, broker: socket.socket) -> None:
        """Answer on each socket that comes through one, from a guest that cannot connect to any."""
        loop = asyncio.get_running_loop()
        gone = loop.create_future()
        loop.add_reader(broker, lambda: self._take_pair(broker, gone))
        try:
            await gone
        finally:
            loop.remove_reader(broker)
            broker.close()

    def _take_pair(self, broker: socket.socket, gone: asyncio.Future[None]) -> None:
        try:
            message, numbers, *_ = socket.recv_fds(broker, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            message, numbers = b"", list[int]()
        for number in numbers:
            if stat.S_ISSOCK(os.fstat(number).st_mode) and self._open < self._settings.connections:
                self._keep(self._answer(socket.socket(fileno=number)))
            else:
                os.close(number)
        if not message and not gone.done():
            gone.set_result(None)

    async def _answer(self, pair: socket.socket) -> None:
        pair.setblocking(False)
        if (pair.family, pair.type & KIND) != (socket.AF_UNIX, socket.SOCK_STREAM):
            pair.close()
            return
        await self._converse(*await asyncio.open_unix_connection(sock=pair, limit=MAX_HEAD))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="egress")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(self._converse(reader, writer))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, to its end."""
        self._open += 1
        try:
            asked = await self._asked(reader)
            if asked.tunnel and self._marks and asked.to == self._own:  # what is in it must be marked
                writer.write(ESTABLISHED)
                await writer.drain()
                asked = await self._asked(reader, asked.to)
            asked, far_reader, far_writer = await self._reach(asked)
        except Refused as refusal:
            self._refused.append((time.monotonic(), str(refusal)))
            with suppress(OSError):
                writer.write(refusal.answer())
                await writer.drain()
        except OSError:
            pass  # the client has gone
        else:
            try:
                (writer if asked.tunnel else far_writer).write(asked.head or ESTABLISHED)
                await self._relay((reader, far_writer), (far_reader, writer))
            finally:
                far_writer.transport.abort()
        finally:
            self._open -= 1
            writer.close()

    async def _asked(self, reader: asyncio.StreamReader, within: Place | None = None) -> Asked:
        if self._open > self._settings.connections:
            raise Refused(503, f"More than {self._settings.connections} connections at once")
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                return read_head(await reader.readuntil(b"\r\n\r\n"), within)
        except BadRequest as error:
            raise Refused(400, str(error)) from error
        except asyncio.LimitOverrunError as error:
            raise Refused(431, f"More than {MAX_HEAD} bytes of headers") from error
        except asyncio.IncompleteReadError as error:
            raise Refused(400, "A request without an end") from error
        except TimeoutError as error:
            raise Refused(408, f"No request in {HEAD_SECONDS:g} s") from error

    def _marked(self, asked: Asked, addresses: Sequence[Address | str]) -> Asked:
        """What is asked of our own server says that a job asks; in a tunnel that could not be said.

        By whatever name: each address that is not public may be our own server's.
        """
        own = asked.to == self._own
        if not (own and self._marks) and all(map(_is_public, addresses)):
            return asked
        if asked.tunnel and own:
            return asked  # it is asked by https, which has no other way
        if asked.tunnel:
            words = f"Host {asked.to.host} is not a public address: it is asked by http, not through a tunnel"
            raise Refused(403, words)
        return replace(asked, head=asked.head.replace(b"\r\n", b"\r\n%b: 1\r\n" % FROM_A_JOB.encode(), 1))

    async def _reach(self, asked: Asked) -> tuple[Asked, asyncio.StreamReader, asyncio.StreamWriter]:
        """What is to be said, and a connection to its place, which may be reached. Raises `Refused`."""
        if self._left <= 0:
            raise Refused(403, f"This call has used up its {self._settings.max_bytes} bytes of network")
        seconds = self._settings.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._addresses(asked.to)
                return self._marked(asked, addresses), *await self._connect(addresses, asked.to)
        except TimeoutError as error:
            raise Refused(504, f"{asked.to} did not answer within {seconds:g} s") from error

    async def _addresses(self, to: Place) -> Sequence[Address | str]:
        """The addresses of a place, all of them allowed. Raises `Refused`."""
        if to == self._own:
            return await self._found(to)
        if not granted(to.host, self._hosts):
            raise Refused(403, f"Host {to.host} is not allowed for this tool; {self._list()}")
        if to.port not in self._settings.ports:
            ports = ", ".join(map(str, sorted(self._settings.ports)))
            raise Refused(403, f"Port {to.port} is not allowed for tools; allowed are {ports}")
        if not (addresses := usable(await self._found(to), self._networks)):
            raise Refused(403, f"Host {to.host} is not a public address")
        return addresses

    def _list(self) -> str:
        return f"allowed are {', '.join(self._hosts)}"[:200] if self._hosts else "no host is"

    async def _found(self, to: Place) -> Sequence[str]:
        """What a name stands for; the same for as long as the job runs."""
        if to not in self._known:
            try:
                self._known[to] = await self._resolve(to.host, to.port)
            except (OSError, UnicodeError) as error:
                raise Refused(502, f"Host {to.host} is not known") from error
        return self._known[to]

    async def _connect(
        self, addresses: Sequence[Address | str], to: Place
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        failed: OSError | None = None
        for address in addresses:
            try:
                return await asyncio.open_connection(str(address), to.port)
            except OSError as error:
                failed = error
        words = (failed and failed.strerror) or "it has no address"
        raise Refused(502, f"{to} cannot be reached: {words}") from failed

    async def _relay(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Carry bytes both ways until both ends are silent, one breaks off, or a limit is met."""
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError, _Spent):
            async with asyncio.timeout(self._settings.idle_seconds) as idle:

                async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    while piece := await reader.read(PIECE):
                        self._spend(len(piece))
                        idle.reschedule(loop.time() + self._settings.idle_seconds)
                        writer.write(piece)
                        await writer.drain()
                    if writer.can_write_eof():
                        writer.write_eof()

                await _all(carry(*way) for way in ways)

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Spent


def _is_public(address: Address | str) -> bool:
    return is_public(ip_address(str(address).partition("%")[0]))


class _Spent(Exception):
    """The job has carried all the bytes it may."""


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all at once; the first that fails ends the others, and its error is raised as it is."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def proxy_environment(port: int = PORT) -> dict[str, str]:
    """What sends the clients of a job to its proxy, which is on that port of its loopback."""
    url = f"http://127.0.0.1:{port}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    return {**dict.fromkeys(names, url), "NODE_USE_ENV_PROXY": "1"}
