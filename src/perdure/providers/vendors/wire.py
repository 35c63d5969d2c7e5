"""Model clients over our own formats: chat completions, Responses and Anthropic messages."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from perdure.kit.errors import InvalidArgument
from perdure.providers.base import Exchange, ModelEvent, ModelRequest
from perdure.providers.endpoint import Endpoint, normal_url
from perdure.providers.vendors import anthropic, chat, responses
from perdure.providers.vendors.anthropic_answer import AnthropicAnswer
from perdure.providers.vendors.chat_answer import ChatAnswer
from perdure.providers.vendors.compatible import dialect_of
from perdure.providers.vendors.http import cut, pieces, post
from perdure.providers.vendors.responses_answer import ResponsesAnswer
from perdure.providers.vendors.sse import SseDecoder

ANTHROPIC_URL = "https://api.anthropic.com"
ANTHROPIC_VERSION = "2023-06-01"
DONE = b"[DONE]"


class Answer(Protocol):
    """The state of an answer that is being read."""

    @property
    def complete(self) -> bool: ...
    def feed(self, frame: dict[str, Any]) -> Iterator[ModelEvent]: ...
    def finish(self) -> Iterator[ModelEvent]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format at one endpoint."""

    url: Callable[[str], str]
    headers: Mapping[str, str]
    body: Callable[[ModelRequest], dict[str, Any]]
    answer: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class WireClient:
    """`ModelClient` by HTTP in one of our formats."""

    endpoint: Endpoint
    format: Format

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent]:
        """Ask; see `ModelClient`."""
        answer = self.format.answer()
        ended = False
        async with aclosing(self._frames(request, exchange or Exchange())) as frames:
            async for data in frames:
                if data == DONE:
                    ended = True
                    continue
                for event in answer.feed(self._parsed(data)):
                    yield event
        if not (ended or answer.complete):
            raise cut(self.endpoint, "")
        for event in answer.finish():
            yield event

    def body(self, request: ModelRequest) -> Mapping[str, Any]:
        """What would be sent; see `Previewable`."""
        return self.format.body(request)

    async def _frames(self, request: ModelRequest, exchange: Exchange) -> AsyncGenerator[bytes]:
        body = orjson.dumps(self.format.body(request))
        url = self.format.url(request.model)
        async with post(self.endpoint, url, self.format.headers, body, exchange) as response:
            whole = "json" in response.headers.get("content-type", "")
            decoder = Whole() if whole else SseDecoder()
            async with aclosing(pieces(self.endpoint, response, exchange)) as arriving:
                async for piece in arriving:
                    for data in decoder.feed(piece):
                        yield data
            for data in decoder.close():
                yield data

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise cut(self.endpoint, f"it sent {data[:80].decode(errors='replace')!r}") from error


class Whole:
    """Stands in for the event decoder when a server answers in one piece of JSON."""

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """Nothing until the end."""
        self._body += piece
        return []

    def close(self) -> list[bytes]:
        """The whole answer."""
        return [bytes(self._body)] if self._body else []


def chat_client(endpoint: Endpoint) -> WireClient:
    """A client for a server that speaks chat completions."""
    dialect = dialect_of(endpoint.type)
    base = base_url(endpoint)
    return WireClient(
        endpoint,
        Format(
            url=lambda model: _azure_url(endpoint, base, model) or f"{base}/chat/completions",
            headers=_headers(endpoint, chat_authorization(endpoint)),
            body=lambda request: chat.to_wire(request, endpoint.type, dialect),
            answer=lambda: ChatAnswer(endpoint.name),
        ),
    )


def responses_client(endpoint: Endpoint) -> WireClient:
    """A client for a server that speaks OpenAI's Responses."""
    base = base_url(endpoint)
    return WireClient(
        endpoint,
        Format(
            url=lambda _: f"{base}/responses",
            headers=_headers(endpoint, chat_authorization(endpoint)),
            body=lambda request: responses.to_wire(request, endpoint.type),
            answer=lambda: ResponsesAnswer(endpoint.name),
        ),
    )


def anthropic_client(endpoint: Endpoint) -> WireClient:
    """A client for a server that speaks Anthropic's messages."""
    base = normal_url("anthropic", endpoint.base_url or ANTHROPIC_URL)
    return WireClient(
        endpoint,
        Format(
            url=lambda _: f"{base}/v1/messages",
            headers=_headers(endpoint, anthropic_authorization(endpoint)),
            body=lambda request: anthropic.to_wire(request, endpoint.type),
            answer=lambda: AnthropicAnswer(endpoint.name),
        ),
    )


def base_url(endpoint: Endpoint) -> str:
    """Where a server that speaks OpenAI's formats is: as given, else where its type usually is."""
    url = endpoint.base_url or dialect_of(endpoint.type).base_url
    if not url:
        raise InvalidArgument(f"Provider '{endpoint.name}' of type '{endpoint.type}' needs a base_url.")
    return normal_url(endpoint.type, url)


def chat_authorization(endpoint: Endpoint) -> dict[str, str]:
    """How a chat-completions server takes the key; servers without one get no header."""
    if not endpoint.api_key:
        return {}
    if endpoint.type == "azure":
        return {"api-key": endpoint.api_key}
    return {"authorization": f"Bearer {endpoint.api_key}"}


def anthropic_authorization(endpoint: Endpoint) -> dict[str, str]:
    """How Anthropic takes the key."""
    version = {"anthropic-version": endpoint.api_version or ANTHROPIC_VERSION}
    return version | ({"x-api-key": endpoint.api_key} if endpoint.api_key else {})


def _headers(endpoint: Endpoint, authorization: Mapping[str, str]) -> dict[str, str]:
    common = {"content-type": "application/json", "accept": "text/event-stream", "user-agent": "perdure"}
    return {**common, **authorization, **endpoint.headers}


def _azure_url(endpoint: Endpoint, base: str, model: str) -> str | None:
    """Azure names the deployment in the path, unless its newer `/openai/v1` API is used."""
    if endpoint.type != "azure":
        return None
    if not endpoint.api_version:
        return f"{base.removesuffix('/openai/v1')}/openai/v1/chat/completions"
    root = base.removesuffix("/v1").removesuffix("/openai")
    return f"{root}/openai/deployments/{model}/chat/completions?api-version={endpoint.api_version}"
