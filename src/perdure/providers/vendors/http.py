"""HTTP to vendors: one pool for all providers, failures in our words, and the raw bytes for traces."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.request import getproxies
from weakref import WeakKeyDictionary

import httpx2
import orjson

from perdure.providers.base import (
    Exchange,
    ModelBadRequest,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    StreamCut,
)
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.connection import CONNECT_SECONDS, ConnectionLost, Connections
from perdure.providers.vendors.errors import error_of
from perdure.providers.vendors.target import BadHeader, target_of

OK = 200
LIST_SECONDS = 10.0
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0)


@dataclass(frozen=True, slots=True)
class Pools:
    """The connections of one event loop, to which they belong; `close_pool` ends those of the running one."""

    client: httpx2.AsyncClient
    direct: Connections | None  # for what models answer; not where the environment names a proxy


_POOLS: WeakKeyDictionary[asyncio.AbstractEventLoop, Pools] = WeakKeyDictionary()


@cache
def tls() -> ssl.SSLContext:
    """The certificates to trust; reading them takes long enough to do it once, and early."""
    return httpx2.create_ssl_context()


def pool() -> httpx2.AsyncClient:
    """The general client of the running event loop."""
    return _pools().client


def _pools() -> Pools:
    loop = asyncio.get_running_loop()
    pools = _POOLS.get(loop)
    if pools is None:
        proxied = getproxies().keys() & {"http", "https", "all"}
        client = httpx2.AsyncClient(limits=LIMITS, verify=tls())
        pools = _POOLS[loop] = Pools(client, None if proxied else Connections(tls()))
    return pools


async def close_pool() -> None:
    """Close the running loop's connections; call it when the server stops."""
    pools = _POOLS.pop(asyncio.get_running_loop(), None)
    if pools is not None:
        await pools.client.aclose()
        if pools.direct:
            pools.direct.close()


class Reply(Protocol):
    """An answer whose body is still to be read."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def pieces(self, idle: float) -> AsyncGenerator[bytes, None]: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GeneralReply:
    """A `Reply` that came through the general client; it watches over silence itself."""

    response: httpx2.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def pieces(self, idle: float) -> AsyncGenerator[bytes, None]:  # noqa: ARG002
        """The body as it arrives."""
        async with aclosing(self.response.aiter_bytes()) as arriving:
            async for piece in arriving:
                yield piece

    async def aclose(self) -> None:
        """Give the connection back."""
        await self.response.aclose()


@asynccontextmanager
async def post(
    endpoint: Endpoint, url: str, headers: Mapping[str, str], body: bytes, exchange: Exchange
) -> AsyncGenerator[Reply]:
    """Send a request; gives a successful answer whose body is still to be read, or raises `ModelError`.

    The time-out is of silence: any byte, a keep-alive too, is a sign of life.
    """
    exchange.request = body
    try:
        target = target_of(url)
        exchange.url = target.shown
        direct = _pools().direct
        if direct:
            request = target.request(headers, body)
            reply: Reply = await direct.ask(target.place, request, endpoint.idle_seconds)
        else:
            reply = await _generally(endpoint, url, headers, body)
    except (httpx2.HTTPError, httpx2.InvalidURL, ConnectionLost, OSError, BadHeader, UnicodeError) as error:
        raise _unreachable(endpoint, url, error) from error
    try:
        exchange.status = reply.status
        if reply.status != OK:
            raise await _refusal(endpoint, reply, exchange)
        yield reply
    finally:
        await reply.aclose()


async def _generally(endpoint: Endpoint, url: str, headers: Mapping[str, str], body: bytes) -> GeneralReply:
    """Send by the general client; once more if a kept connection is gone before any answer."""
    request = httpx2.Request("POST", url, headers=headers, content=body, extensions=_timeouts(endpoint))
    try:
        return GeneralReply(await pool().send(request, stream=True))
    except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
        return GeneralReply(await pool().send(request, stream=True))


async def pieces(endpoint: Endpoint, reply: Reply, exchange: Exchange) -> AsyncGenerator[bytes]:
    """The body as it arrives, noted in `exchange`."""
    try:
        async with aclosing(reply.pieces(endpoint.idle_seconds)) as arriving:
            async for piece in arriving:
                exchange.response += piece
                yield piece
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise _silent(endpoint) from error
    except (ConnectionLost, httpx2.HTTPError) as error:
        raise cut(endpoint, str(error)) from error


async def get_json(endpoint: Endpoint, url: str, headers: Mapping[str, str]) -> Any:
    """A small JSON answer, for lists of models."""
    return await _json(endpoint, "GET", url, headers, None)


async def post_json(
    endpoint: Endpoint, url: str, headers: Mapping[str, str], body: Any, seconds: float = LIST_SECONDS
) -> Any:
    """The answer to a small JSON question."""
    return await _json(endpoint, "POST", url, headers, body, seconds)


async def _json(
    endpoint: Endpoint,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: Any,
    seconds: float = LIST_SECONDS,
) -> Any:
    try:
        response = await pool().request(method, url, headers=dict(headers), json=body, timeout=seconds)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        raise _unreachable(endpoint, url, error) from error
    if response.status_code != OK:
        content = scrub(endpoint, response.content)
        raise error_of(endpoint.name, response.status_code, content, response.headers)
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        detail = f"Provider '{endpoint.name}' did not answer JSON at {url}; is base_url right?"
        raise ModelUnavailable(detail, provider=endpoint.name) from error


def cut(endpoint: Endpoint, words: str) -> StreamCut:
    """The stream ended before its end."""
    detail = f"Provider '{endpoint.name}' broke off its answer: {words or 'the connection was closed.'}"
    return StreamCut(detail, provider=endpoint.name)


def scrub(endpoint: Endpoint, content: bytes) -> bytes:
    """An error's body without our credentials, should the other side repeat them."""
    for secret in (endpoint.api_key, endpoint.access_key):
        if secret:
            content = content.replace(secret.encode(), b"***")
    return content


def _timeouts(endpoint: Endpoint) -> dict[str, Any]:
    idle = endpoint.idle_seconds
    return {"timeout": {"connect": CONNECT_SECONDS, "read": idle, "write": idle, "pool": CONNECT_SECONDS}}


async def _refusal(endpoint: Endpoint, reply: Reply, exchange: Exchange) -> ModelError:
    body = b""
    with contextlib.suppress(ConnectionLost, TimeoutError, httpx2.HTTPError):
        async with aclosing(reply.pieces(endpoint.idle_seconds)) as arriving:
            async for piece in arriving:
                body += piece
    body = scrub(endpoint, body)
    exchange.response += body
    return error_of(endpoint.name, reply.status, body, reply.headers)


def _silent(endpoint: Endpoint) -> ModelTimeout:
    detail = f"Provider '{endpoint.name}' sent nothing for {endpoint.idle_seconds:g} seconds."
    return ModelTimeout(detail, provider=endpoint.name)


def _unreachable(endpoint: Endpoint, url: str, error: Exception) -> ModelError:
    name = endpoint.name
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            detail = f"Provider '{name}' did not take the connection within {CONNECT_SECONDS:g} seconds."
            return ModelUnavailable(detail, provider=name)
        case httpx2.TimeoutException() | TimeoutError():
            return _silent(endpoint)
        case BadHeader():
            return ModelBadRequest(f"Provider '{name}': {error}", provider=name)
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol() | UnicodeError():
            return ModelBadRequest(
                f"Provider '{name}': base_url is not a usable address: {error}", provider=name
            )
        case _:
            place = httpx2.URL(url).copy_with(username=None, password=None, query=None)
            words = str(error) or type(error).__name__
            return ModelUnavailable(f"Provider '{name}' cannot be reached at {place}: {words}", provider=name)
