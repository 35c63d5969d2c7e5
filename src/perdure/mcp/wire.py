"""HTTP to one MCP server: faults of one request become its answer, so that they end no other's.

Imports httpx2: load it with the SDK.
"""

import json
from collections.abc import Callable
from typing import Any

import httpx2
from mcp_types import INTERNAL_ERROR, ErrorData

from perdure.kit.errors import PerdureError
from perdure.kit.guarded import GuardedTransport

EVENTS = "text/event-stream"
FAULT = "perdure"  # marks the errors made here in the `data` of a JSON-RPC error
TOO_LARGE = 0  # in the place of a status


class EndpointTransport(httpx2.AsyncBaseTransport):
    """Sends over checked connections; a message that could not be delivered is answered here.

    The SDK ends a session, and every call in it, when one request fails below HTTP, and it forgets the
    status of a refusal. So a fault becomes a JSON-RPC error whose `data` has `reached` (whether the server
    may have seen the request), `status` and `lost` (it knows the session no more). What goes elsewhere,
    such as a login's requests, passes as it is. Where answers come on another connection (SSE), `broken`
    is told instead.
    """

    def __init__(self, guarded: GuardedTransport, url: str, broken: Callable[[Exception], None] | None):
        self._guarded = guarded
        self._url = httpx2.URL(url)
        self._broken = broken

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and answer it where the server does not."""
        request.headers["accept-encoding"] = "identity"
        if request.method != "POST" or not self._is_message(request):
            return await self._guarded.handle_async_request(request)
        if self._broken is not None:
            return await self._watched(request, self._broken)
        try:
            answer = await self._guarded.handle_async_request(request)
            return await self._settled(answer, session="mcp-session-id" in request.headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, PerdureError) as error:
            return _fault(502, _words(error), reached=not _is_unsent(error))
        except httpx2.HTTPError as error:
            return _fault(502, _words(error), reached=True)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._guarded.aclose()

    def _is_message(self, request: httpx2.Request) -> bool:
        """Whether it is one of the protocol's; what a login or a token asks for goes elsewhere."""
        is_json = request.headers.get("content-type", "").startswith("application/json")
        return is_json and (self._broken is not None or request.url == self._url)

    async def _settled(self, answer: httpx2.Response, *, session: bool) -> httpx2.Response:
        """The answer with its body read, so that it fails here if it does; events are left to be read."""
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == EVENTS and answer.status_code < 400:
            return answer
        body = await answer.aread()
        lost = session and answer.status_code == 404
        if lost or (answer.status_code >= 400 and not _is_error(body)):
            text = body[:300].decode(errors="replace").strip()
            words = f"it answered {answer.status_code} {answer.reason_phrase}{': ' + text if text else ''}"
            lost = lost or (session and answer.status_code == 400)
            made = _fault(answer.status_code, words, reached=True, lost=lost)
            if "www-authenticate" in answer.headers:
                made.headers["www-authenticate"] = answer.headers["www-authenticate"]
            return made
        return httpx2.Response(answer.status_code, headers=_plain(answer.headers), content=body)

    async def _watched(self, request: httpx2.Request, broken: Callable[[Exception], None]) -> httpx2.Response:
        try:
            answer = await self._guarded.handle_async_request(request)
            if answer.status_code >= 400:
                broken(McpStatus(answer.status_code))
        except (httpx2.HTTPError, PerdureError) as error:
            broken(error)
            raise
        return answer


class McpStatus(Exception):
    """A message was answered with this status."""

    def __init__(self, status: int):
        super().__init__(f"it answered {status}")
        self.status = status


def _is_unsent(error: Exception) -> bool:
    """Whether a request that failed so never left: no connection, or an address that may not be reached."""
    return isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) or "public address" in str(error)


def fault(status: int, words: str, *, reached: bool, lost: bool = False) -> ErrorData:
    """The error of the protocol that says what we found wrong."""
    data = {FAULT: {"status": status, "reached": reached, "lost": lost}}
    return ErrorData(code=INTERNAL_ERROR, message=words, data=data)


def _fault(status: int, words: str, *, reached: bool, lost: bool = False) -> httpx2.Response:
    error = fault(status, words, reached=reached, lost=lost).model_dump()
    return httpx2.Response(status, json={"jsonrpc": "2.0", "id": None, "error": error})


def _is_error(body: bytes) -> bool:
    """Whether a refusal tells its reason as the protocol has it."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and isinstance(told.get("error"), dict) and "jsonrpc" in told  # pyright: ignore[reportUnknownMemberType]


def _plain(headers: httpx2.Headers) -> dict[str, str]:
    """Headers of a body that is read already."""
    gone = ("content-length", "content-encoding", "transfer-encoding")
    return {name: value for name, value in headers.items() if name not in gone}


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
