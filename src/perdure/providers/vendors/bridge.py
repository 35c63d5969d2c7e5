"""Models through pydantic-ai: for the vendors whose wire is not ours. Import it only when needed.

`convert.py` turns requests into its messages; here its stream becomes our events and errors.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
from pydantic_ai import exceptions
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import Model, StreamedResponse

from perdure.providers.base import (
    ContentFiltered,
    ContextOverflow,
    Exchange,
    Finish,
    FinishReason,
    ModelAuthenticationError,
    ModelBadRequest,
    ModelError,
    ModelEvent,
    ModelQuotaExceeded,
    ModelRateLimited,
    ModelRequest,
    ModelTimeout,
    ModelUnavailable,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.convert import history, parameters, settings
from perdure.providers.vendors.errors import SAYS, error_of
from perdure.providers.vendors.http import cut, pool, scrub

KINDS: tuple[tuple[type[Exception], type[ModelError]], ...] = (
    (exceptions.ModelRateLimitError, ModelRateLimited),
    (exceptions.ModelQuotaExceededError, ModelQuotaExceeded),
    (exceptions.ModelContextWindowExceededError, ContextOverflow),
    (exceptions.ModelAuthenticationError, ModelAuthenticationError),
    (exceptions.ModelTimeoutError, ModelTimeout),
    (exceptions.ModelRequestTimeout, ModelTimeout),
    (exceptions.ModelRequestRejectedError, ModelBadRequest),
    (exceptions.ContentFilterError, ContentFiltered),
    (exceptions.UserError, ModelBadRequest),
)
REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_call": "tool_calls",
    "error": "error",
}
MakeModel = Callable[[ModelRequest, httpx2.AsyncClient], Model]


@dataclass(frozen=True, slots=True)
class BridgeClient:
    """`ModelClient` over one of pydantic-ai's models; `make` builds it for a request."""

    endpoint: Endpoint
    make: MakeModel

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent]:
        """Ask; see `ModelClient`. Only vendors that take our HTTP client fill the exchange."""
        reader = Reader()
        tap = Tap(self.endpoint, exchange or Exchange())
        http = httpx2.AsyncClient(transport=tap, headers={"accept-encoding": "identity"}, timeout=None)
        try:
            model = self.make(request, http)
            async with model_request_stream(
                model,
                history(request, self.endpoint.type, model.system),
                model_settings=settings(request),
                model_request_parameters=parameters(request),
            ) as stream:
                events = aiter(stream)
                while event := await self._next(events):
                    for ours in reader.read(event):
                        yield ours
                finish = reader.finish(stream)
            yield finish
        except ModelError:
            raise
        except Exception as error:
            raise self._error(error, begun=reader.begun) from error

    async def _next(self, events: Any) -> ModelResponseStreamEvent | None:
        try:
            async with asyncio.timeout(self.endpoint.idle_seconds):
                return await anext(events, None)
        except TimeoutError as error:
            detail = (
                f"Provider '{self.endpoint.name}' sent nothing for {self.endpoint.idle_seconds:g} seconds."
            )
            raise ModelTimeout(detail, provider=self.endpoint.name) from error

    def _error(self, error: Exception, *, begun: bool) -> ModelError:
        name = self.endpoint.name
        if isinstance(error, exceptions.ModelHTTPError):
            body = scrub(self.endpoint, orjson.dumps(error.body, default=str))
            found = error_of(name, error.status_code, body, {})
            found.retry_after = getattr(error, "retry_after", None)
            return found
        words = scrub(self.endpoint, str(error).encode()).decode()
        if begun and isinstance(error, exceptions.ModelConnectionError):
            return cut(self.endpoint, words)
        kind = next((ours for theirs, ours in KINDS if isinstance(error, theirs)), ModelUnavailable)
        wait = getattr(error, "retry_after", None)
        return kind(f"Provider '{name}' {SAYS[kind]}: {words}", provider=name, retry_after=wait)


@dataclass(slots=True)
class Reader:
    """Turns pydantic-ai's events into ours."""

    begun: bool = False
    _calls: dict[int, int] = field(default_factory=dict[int, int])

    def read(self, event: ModelResponseStreamEvent) -> Iterator[ModelEvent]:
        """Our events for one of theirs; most kinds of theirs repeat what is known."""
        self.begun = True
        match event:
            case PartStartEvent(index=index, part=TextPart(content=text)) if text:
                yield TextDelta(text)
            case PartStartEvent(index=index, part=ThinkingPart() as part):
                hidden = not part.content and part.signature is not None and part.id == "redacted_thinking"
                yield ReasoningDelta(part.content, part.signature, redacted=hidden, index=index, id=part.id)
            case PartStartEvent(index=index, part=ToolCallPart() as part):
                self._calls[index] = len(self._calls)
                yield ToolCallStart(self._calls[index], part.tool_call_id, part.tool_name)
                yield from self._arguments(index, part.args)
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
                yield TextDelta(text)
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta() as delta):
                yield ReasoningDelta(delta.content_delta or "", delta.signature_delta, index=index)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=arguments)):
                yield from self._arguments(index, arguments)
            case _:
                pass

    def finish(self, stream: StreamedResponse) -> Finish:
        """The last event."""
        reason = REASONS.get(stream.finish_reason or "stop", "stop")
        used = stream.usage
        usage = Usage(
            used.input_tokens,
            used.output_tokens,
            used.cache_read_tokens or None,
            used.cache_write_tokens or None,
            used.output_reasoning_tokens or None,
        )
        return Finish("tool_calls" if self._calls and reason == "stop" else reason, usage)

    def _arguments(self, index: int, arguments: Any) -> Iterator[ModelEvent]:
        if arguments:
            text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
            yield ToolCallDelta(self._calls[index], text)


class Tap(httpx2.AsyncBaseTransport):
    """Sends by the common pool and notes the raw bytes of the call."""

    def __init__(self, endpoint: Endpoint, exchange: Exchange) -> None:
        self._idle = endpoint.idle_seconds
        self._exchange = exchange

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request of the vendor's SDK."""
        self._exchange.url = str(request.url.copy_with(username=None, password=None, query=None))
        self._exchange.request = await request.aread()
        timeouts = {"connect": 10.0, "read": self._idle, "write": self._idle, "pool": 10.0}
        sent = httpx2.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=self._exchange.request,
            extensions={"timeout": timeouts},
        )
        response = await pool().send(sent, stream=True)
        self._exchange.status = response.status_code
        stream = TappedStream(response, self._exchange)
        return httpx2.Response(response.status_code, headers=response.headers, stream=stream)


class TappedStream(httpx2.AsyncByteStream):
    """A body that is noted while it is read."""

    def __init__(self, response: httpx2.Response, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The raw pieces."""
        async for piece in self._response.aiter_raw():
            self._exchange.response += piece
            yield piece

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._response.aclose()
