"""HTTP to vendors: one pool for all providers, failures in our words, and the raw bytes for traces."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import Any
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
from perdure.providers.vendors.errors import error_of

OK = 200
CONNECT_SECONDS = 10.0
LIST_SECONDS = 10.0
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0)
# A pool belongs to its event loop, so there is one a loop; `close_pool` ends that of the running one.
_POOLS: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()


@cache
def tls() -> ssl.SSLContext:
    """The certificates to trust; reading them takes long enough to do it once, and early."""
    return httpx2.create_ssl_context()


def pool() -> httpx2.AsyncClient:
    """The connections of the running event loop."""
    loop = asyncio.get_running_loop()
    client = _POOLS.get(loop)
    if client is None:
        client = _POOLS[loop] = httpx2.AsyncClient(limits=LIMITS, verify=tls())
    return client


async def close_pool() -> None:
    """Close the running loop's connections; call it when the server stops."""
    client = _POOLS.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


@asynccontextmanager
async def post(
    endpoint: Endpoint, url: str, headers: Mapping[str, str], body: bytes, exchange: Exchange
) -> AsyncGenerator[httpx2.Response]:
    """Send a request; gives a successful answer whose body is still to be read, or raises `ModelError`.

    The time-out is of silence: any byte, a keep-alive too, is a sign of life.
    """
    exchange.request = body
    try:
        target = httpx2.URL(url)
        exchange.url = str(target.copy_with(username=None, password=None, query=None))
        request = httpx2.Request(
            "POST", target, headers=headers, content=body, extensions=_timeouts(endpoint)
        )
        response = await _send(request)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        raise _unreachable(endpoint, url, error) from error
    try:
        exchange.status = response.status_code
        if response.status_code != OK:
            raise await _refusal(endpoint, response, exchange)
        yield response
    finally:
        await response.aclose()


async def _send(request: httpx2.Request) -> httpx2.Response:
    """Send; once more if the connection is gone before any answer.

    A kept connection may be closed by the other side (llama.cpp does it after every stream) in the
    moment in which it is used again.
    """
    try:
        return await pool().send(request, stream=True)
    except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
        return await pool().send(request, stream=True)


async def pieces(endpoint: Endpoint, response: httpx2.Response, exchange: Exchange) -> AsyncGenerator[bytes]:
    """The body as it arrives, noted in `exchange`."""
    try:
        async with aclosing(response.aiter_bytes()) as arriving:
            async for piece in arriving:
                exchange.response += piece
                yield piece
    except httpx2.TimeoutException as error:
        raise _silent(endpoint) from error
    except httpx2.HTTPError as error:
        raise cut(endpoint, str(error)) from error


async def get_json(endpoint: Endpoint, url: str, headers: Mapping[str, str]) -> Any:
    """A small JSON answer, for lists of models."""
    return await _json(endpoint, "GET", url, headers, None)


async def post_json(endpoint: Endpoint, url: str, headers: Mapping[str, str], body: Any) -> Any:
    """The answer to a small JSON question."""
    return await _json(endpoint, "POST", url, headers, body)


async def _json(endpoint: Endpoint, method: str, url: str, headers: Mapping[str, str], body: Any) -> Any:
    try:
        response = await pool().request(method, url, headers=dict(headers), json=body, timeout=LIST_SECONDS)
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


async def _refusal(endpoint: Endpoint, response: httpx2.Response, exchange: Exchange) -> ModelError:
    try:
        body = scrub(endpoint, await response.aread())
    except httpx2.HTTPError:
        body = b""
    exchange.response += body
    return error_of(endpoint.name, response.status_code, body, response.headers)


def _silent(endpoint: Endpoint) -> ModelTimeout:
    detail = f"Provider '{endpoint.name}' sent nothing for {endpoint.idle_seconds:g} seconds."
    return ModelTimeout(detail, provider=endpoint.name)


def _unreachable(endpoint: Endpoint, url: str, error: Exception) -> ModelError:
    name = endpoint.name
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            detail = f"Provider '{name}' did not take the connection within {CONNECT_SECONDS:g} seconds."
            return ModelUnavailable(detail, provider=name)
        case httpx2.TimeoutException():
            return _silent(endpoint)
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol() | UnicodeError():
            return ModelBadRequest(
                f"Provider '{name}': base_url is not a usable address: {error}", provider=name
            )
        case _:
            place = httpx2.URL(url).copy_with(username=None, password=None, query=None)
            words = str(error) or type(error).__name__
            return ModelUnavailable(f"Provider '{name}' cannot be reached at {place}: {words}", provider=name)
