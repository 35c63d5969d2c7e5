"""The outbound rules for HTTP clients of libraries. Imports httpx2: load it where that is needed anyway."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2

from perdure.kit.addresses import Address, marking
from perdure.kit.outbound import Fetcher, FetchFailed, check_address, shown, trusted

REMEMBERED_SECONDS = 30.0
EVENTS = "text/event-stream"
Origin = tuple[str, str, int | None]


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to checked addresses only, whatever its client asks for or is redirected to.

    One pool of connections for each origin, so that no host is answered over another's connection.
    Answers are limited as `Fetcher`'s are; event streams last, and their readers limit each event.
    """

    def __init__(self, fetcher: Fetcher, limit: int | None = None):
        self._fetcher = fetcher
        self._limit = limit or fetcher.settings.max_bytes
        self._pools: dict[Origin, httpx2.AsyncHTTPTransport] = {}
        self._addresses: dict[Origin, tuple[float, Address]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it to a checked address. Raises `FetchFailed` for one that may not be reached."""
        check_address(str(request.url))
        origin = (request.url.scheme, request.url.host, request.url.port)
        address = await self._address(origin, request.url)
        pool = self._pools.get(origin) or await self._open(origin)
        headers = httpx2.Headers(request.headers)
        headers.update(marking(address))
        sent = httpx2.Request(
            request.method,
            request.url.copy_with(host=str(address), fragment=None),
            headers=headers,
            stream=request.stream,
            extensions=request.extensions | self._names(request),
        )
        try:
            answer = await pool.handle_async_request(sent)
        except httpx2.ConnectError:
            self._addresses.pop(origin, None)
            raise
        if not answer.headers.get("content-type", "").startswith(EVENTS):
            answer.stream = Limited(answer.stream, self._limit, str(request.url))
        return answer

    async def aclose(self) -> None:
        """Close all connections."""
        pools = list(self._pools.values())
        self._pools.clear()
        for pool in pools:
            await pool.aclose()

    def _names(self, request: httpx2.Request) -> dict[str, str]:
        secure = request.url.scheme == "https"
        return {"sni_hostname": request.url.raw_host.decode()} if secure else {}

    async def _address(self, origin: Origin, url: httpx2.URL) -> Address:
        known = self._addresses.get(origin)
        if known and known[0] > time.monotonic():
            return known[1]
        try:
            address = await self._fetcher.address(url)
        except OSError as error:
            raise httpx2.ConnectError(f"the name {origin[1]} cannot be resolved: {error}") from error
        self._addresses[origin] = (time.monotonic() + REMEMBERED_SECONDS, address)
        return address

    async def _open(self, origin: Origin) -> httpx2.AsyncHTTPTransport:
        tls = await asyncio.to_thread(trusted) if origin[0] == "https" else False
        return self._pools.setdefault(origin, httpx2.AsyncHTTPTransport(verify=tls, trust_env=False))


class Limited(httpx2.AsyncByteStream):
    """A body of at most `limit` bytes; reading further raises `FetchFailed`."""

    def __init__(self, inner: object, limit: int, url: str):
        if not isinstance(inner, httpx2.AsyncByteStream):
            raise TypeError("a transport's answer has an async body")
        self._inner = inner
        self._limit = limit
        self._url = url

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's pieces."""
        read = 0
        async for piece in self._inner:
            read += len(piece)
            if read > self._limit:
                raise FetchFailed(f"{shown(self._url)} is larger than {self._limit} bytes.")
            yield piece

    async def aclose(self) -> None:
        """Close the body."""
        await self._inner.aclose()
