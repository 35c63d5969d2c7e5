"""The three ways to speak to a server, within our rules, as the SDK's streams. Imports the SDK."""

import contextlib
import contextvars
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, cast

import httpx2
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse

from perdure.kit.guarded import GuardedTransport
from perdure.kit.outbound import Fetcher
from perdure.mcp.resident import resident_client, resident_of
from perdure.mcp.settings import McpSettings
from perdure.mcp.stdio import Complaints, Place, environment_of
from perdure.mcp.target import Target
from perdure.mcp.wire import TOO_LARGE, EndpointTransport, fault

MAX_VALUES = 50_000  # in an answer: the SDK goes through all of them several times, and all others wait
MARGIN_SECONDS = 5.0  # how much longer than the SDK's own timeouts ours wait
Ended = Callable[[Exception | None], None]


class Heard:
    """A stream of what a server says; it tells when that is over, and takes no answer of too many values."""

    def __init__(self, inner: Any, ended: Ended):
        self._inner = inner
        self._ended = ended

    @property
    def last_context(self) -> contextvars.Context | None:
        """The context of the last message's sender."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> Any:
        """The next message."""
        return _bounded(await self._inner.receive())

    async def aclose(self) -> None:
        """The session listens no more: its server is gone, or it is closed."""
        self._ended(None)
        await self._inner.aclose()

    def __aiter__(self) -> "Heard":
        return self

    async def __anext__(self) -> Any:
        return _bounded(await self._inner.__anext__())

    async def __aenter__(self) -> "Heard":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@dataclass(frozen=True, slots=True)
class Transports:
    """Makes them. `ended` is told when one is over, and the error if there was one."""

    fetcher: Fetcher
    settings: McpSettings
    place: Place
    auth: httpx2.Auth | None
    complaints: Complaints
    ended: Ended

    @contextlib.asynccontextmanager
    async def open(self, target: Target) -> AsyncGenerator[tuple[Any, Any]]:
        """The streams to and from a server."""
        with self.complaints.file() if target.kind == "stdio" else contextlib.nullcontext() as file:
            async with self._streams(target, file) as (read, write):
                yield Heard(read, self.ended), write

    def _streams(self, target: Target, file: Any) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        if target.kind == "stdio":
            if self.settings.stdio == "sandbox":
                wanted = resident_of(target, self.place, self.settings)
                return resident_client(
                    self.place.residents, wanted, file, self.settings.max_bytes, self.ended
                )
            folder = self.place.folder
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            environment = environment_of(str(folder), str(folder), target.env)
            command = StdioServerParameters(
                command=target.command, args=list(target.args), env=environment, cwd=folder
            )
            return stdio_client(command, errlog=file)
        if target.kind == "sse":
            read = max(self.settings.idle_seconds, self.settings.call_seconds) + 2 * MARGIN_SECONDS

            def http(*_: Any, **__: Any) -> httpx2.AsyncClient:
                return self._http(target, read, self.ended)

            return sse_client(target.url, httpx_client_factory=http)
        return self._streamable(target)

    @contextlib.asynccontextmanager
    async def _streamable(self, target: Target) -> AsyncGenerator[tuple[Any, Any]]:
        async with (
            self._http(target, self.settings.call_seconds + MARGIN_SECONDS, None) as http,
            streamable_http_client(target.url, http_client=http) as streams,
        ):
            yield streams

    def _http(self, target: Target, read: float, broken: Ended | None) -> httpx2.AsyncClient:
        limit = min(self.settings.max_bytes, self.fetcher.settings.max_bytes)
        return httpx2.AsyncClient(
            transport=EndpointTransport(GuardedTransport(self.fetcher, limit), target.url, broken),
            headers=dict(target.headers),
            auth=self.auth,
            timeout=httpx2.Timeout(self.settings.connect_seconds, read=read),
            trust_env=False,
        )


def _bounded(heard: Any) -> Any:
    """A message; an error in the place of an answer that has too many values."""
    answer = heard.message if isinstance(heard, SessionMessage) else None
    if not isinstance(answer, JSONRPCResponse) or not _is_huge(answer.result):
        return heard
    words = f"it has more than {MAX_VALUES} values; ask it for less"
    return SessionMessage(
        JSONRPCError(jsonrpc="2.0", id=answer.id, error=fault(TOO_LARGE, words, reached=True))
    )


def _is_huge(value: Any) -> bool:
    todo, seen = [value], 0
    while todo and seen <= MAX_VALUES:
        each = todo.pop()
        seen += 1
        if isinstance(each, dict):
            todo += cast("dict[str, Any]", each).values()
        elif isinstance(each, list):
            todo += cast("list[Any]", each)
    return seen > MAX_VALUES
