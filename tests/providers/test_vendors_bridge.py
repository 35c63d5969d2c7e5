"""Vendors behind pydantic-ai: the same events and errors as of our own formats."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import orjson
import pytest
import pytest_asyncio

from perdure.content.parts import Image, Message, Reasoning, Text, ToolCall, ToolReturn
from perdure.providers.base import (
    ContextOverflow,
    Exchange,
    Finish,
    ModelAuthenticationError,
    ModelBadRequest,
    ModelClient,
    ModelError,
    ModelEvent,
    ModelQuotaExceeded,
    ModelRateLimited,
    ModelRequest,
    ModelTimeout,
    ModelUnavailable,
    ReasoningDelta,
    StreamCut,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolSpec,
)
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors import close_pool, open_client, warm
from perdure.testing.model_server import ModelServer

pytest.importorskip("google.genai", reason="needs the extra google")
KEY = "AIza-secret"
FREE = {"type": "object", "properties": {"data": {"type": "object"}}}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    warm(["google_ai", "bedrock", "openai"])
    with ModelServer() as running:
        yield running


@pytest_asyncio.fixture(scope="module", autouse=True)
async def pool() -> AsyncIterator[None]:
    yield
    await close_pool()


@pytest.fixture
def client(server: ModelServer) -> ModelClient:
    server.clear()
    return open_client(Endpoint("gem", "google_ai", server.url, KEY, idle_seconds=5))


def ask(text: str, *before: Message, **fields: object) -> ModelRequest:
    request = ModelRequest("gemini-2.5-flash", "You are kind.", (*before, Message("user", (Text(text),))))
    return replace(request, **fields)  # type: ignore[arg-type]


async def collect(
    client: ModelClient, request: ModelRequest, exchange: Exchange | None = None
) -> list[ModelEvent]:
    return [event async for event in client.stream(request, exchange)]


async def test_text_reasoning_calls_and_usage(client: ModelClient, server: ModelServer) -> None:
    tools = (ToolSpec("store", "Store.", FREE),)
    request = ask(
        'think:hm so\nsay:I see it\ncall:store {"data": {"x": 1}}', tools=tools, reasoning_effort="low"
    )
    exchange = Exchange()
    events = await collect(client, request, exchange)
    assert "".join(e.text for e in events if isinstance(e, ReasoningDelta)) == "hm so"
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "I see it"
    [start] = [e for e in events if isinstance(e, ToolCallStart)]
    assert (start.index, start.name) == (0, "store")
    assert orjson.loads("".join(e.arguments for e in events if isinstance(e, ToolCallDelta))) == {
        "data": {"x": 1}
    }
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == "tool_calls"
    assert finish.usage.reasoning_tokens == 2
    assert finish.usage.cached_input_tokens
    assert exchange.status == 200
    assert orjson.loads(exchange.request) == server.requests[-1]["body"]
    assert b"I see" in exchange.response.replace(b'"}', b"") or b"see" in exchange.response
    assert KEY.encode() not in exchange.request + bytes(exchange.response) + exchange.url.encode()


async def test_a_conversation_with_tools_and_pictures_goes_over(
    client: ModelClient, server: ModelServer
) -> None:
    said = (
        Reasoning("foreign", "sig", vendor="anthropic"),
        Text("Let me look."),
        ToolCall("c1", "look", '{"at": "cat"}'),
    )
    history = (
        Message("user", (Text("Look."), Image("image/png", "iVBORw0KGgo="))),
        Message("assistant", said),
        Message("tool", (ToolReturn("c1", "look", "It sleeps.", "error"),)),
    )
    await collect(client, ask("say:ok", *history, temperature=0.5, max_output_tokens=50))
    sent = orjson.dumps(server.requests[-1]["body"]).decode()
    for words in ("You are kind.", "Let me look.", "It sleeps.", "iVBORw0KGgo", "cat"):
        assert words in sent
    assert "foreign" not in sent


async def test_structured_output_is_asked_for(client: ModelClient, server: ModelServer) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    await collect(client, ask('say:{"ok": true}', response_format=form))
    assert "application/json" in str(server.requests[-1]["body"]["generationConfig"])


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("fail:400", ModelBadRequest),
        ("fail:401", ModelAuthenticationError),
        ("fail:404", ModelBadRequest),
        ("fail:429", ModelRateLimited),
        ("fail:500", ModelUnavailable),
        ("fail:503", ModelUnavailable),
        ("overflow:", ContextOverflow),
        ("quota:", ModelQuotaExceeded),
    ],
)
async def test_failures_are_sorted(
    client: ModelClient, server: ModelServer, script: str, error: type
) -> None:
    with pytest.raises(ModelError) as caught:
        await collect(client, ask(script))
    assert type(caught.value) is error
    assert "'gem'" in caught.value.detail
    assert len(server.requests) == 1, "trying again is ours, not the SDK's"


async def test_a_cut_stream_says_so(client: ModelClient) -> None:
    with pytest.raises(StreamCut):
        await collect(client, ask("cut:5\ncount:20"))


async def test_silence_is_a_timeout(server: ModelServer) -> None:
    client = open_client(Endpoint("gem", "google_ai", server.url, KEY, idle_seconds=0.2))
    with pytest.raises(ModelTimeout):
        await collect(client, ask("wait:2000\nsay:late"))
    with pytest.raises(ModelTimeout):
        await collect(client, ask("slow:2000\nsay:late"))


async def test_cancelling_ends_the_call(client: ModelClient, server: ModelServer) -> None:
    task = asyncio.create_task(collect(client, ask("slow:200\ncount:50")))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        while not server.requests[-1]["disconnected"]:  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.01)


async def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "perdure.providers.vendors.bedrock", None)
    client = open_client(Endpoint("aws", "bedrock", api_key="k"))
    with pytest.raises(ModelUnavailable, match=r"'aws' .*perdure\[bedrock\]") as caught:
        await collect(client, ask("say:hi"))
    assert not caught.value.retryable
