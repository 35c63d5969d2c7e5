"""Every wire format of ours gives the same events, errors and echoes, over real HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
import pytest_asyncio

from perdure.content.parts import Image, Message, Part, Reasoning, Text, ToolCall, ToolReturn
from perdure.kit.errors import InvalidArgument
from perdure.providers.base import (
    ContentFiltered,
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
from perdure.providers.vendors import close_pool, open_client
from perdure.testing.model_server import ModelServer

FREE = {"type": "object", "properties": {"data": {"type": "object"}, "n": {"type": "integer"}}}
TOOLS = (
    ToolSpec("store", "Store anything.", FREE),
    ToolSpec("look", "Look.", {"type": "object", "properties": {}}),
)
KEY = "sk-very-secret"
PNG = "iVBORw0KGgo="


@dataclass(frozen=True)
class Wire:
    """One format: how to open it, and where its body keeps things."""

    type: str
    model: str

    def tool_schemas(self, body: dict[str, Any]) -> list[Any]:
        shapes = {"anthropic": lambda t: t["input_schema"], "vllm": lambda t: t["function"]["parameters"]}
        return [shapes.get(self.type, lambda t: t["parameters"])(tool) for tool in body["tools"]]


WIRES = {
    "chat": Wire("vllm", "scripted"),
    "responses": Wire("openai", "gpt-5-mini"),
    "anthropic": Wire("anthropic", "claude-sonnet-4-5"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest_asyncio.fixture(scope="module", autouse=True)
async def pool() -> AsyncIterator[None]:
    yield
    await close_pool()


@pytest.fixture(params=WIRES.values(), ids=WIRES)
def wire(request: pytest.FixtureRequest, server: ModelServer) -> Wire:
    server.clear()
    return request.param


@pytest.fixture
def client(wire: Wire, server: ModelServer) -> ModelClient:
    return open_client(Endpoint("mine", wire.type, server.url, KEY))


def ask(wire: Wire, text: str, *before: Message, **fields: Any) -> ModelRequest:
    messages = (*before, Message("user", (Text(text),)))
    return ModelRequest(wire.model, "You are kind.", messages, **fields)


async def collect(
    client: ModelClient, request: ModelRequest, exchange: Exchange | None = None
) -> list[ModelEvent]:
    return [event async for event in client.stream(request, exchange)]


async def collect_into(events: list[ModelEvent], client: ModelClient, request: ModelRequest) -> None:
    async for event in client.stream(request):
        events.append(event)  # noqa: PERF401 - what came before a failure must stay


def answer_of(events: list[ModelEvent], vendor: str) -> tuple[Part, ...]:
    """The parts a loop would store for these events."""
    parts: dict[object, Part] = {}
    for event in events:
        match event:
            case TextDelta(text):
                known = parts.get("text")
                parts["text"] = Text((known.text if isinstance(known, Text) else "") + text)
            case ReasoningDelta():
                key = ("reasoning", event.index)
                known = parts.get(key, Reasoning(""))
                assert isinstance(known, Reasoning)
                signature = event.signature or known.signature
                redacted = event.redacted or known.redacted
                parts[key] = Reasoning(
                    known.text + event.text, signature, redacted, vendor, event.id or known.id
                )
            case ToolCallStart(index, id, name):
                parts["call", index] = ToolCall(id, name, "")
            case ToolCallDelta(index, arguments):
                call = parts["call", index]
                assert isinstance(call, ToolCall)
                parts["call", index] = replace(call, arguments=call.arguments + arguments)
            case Finish():
                pass
    return tuple(parts.values())


def asked(server: ModelServer) -> dict[str, Any]:
    return server.requests[-1]["body"]


async def test_text_comes_in_pieces_and_ends_with_stop_and_usage(client: ModelClient, wire: Wire) -> None:
    events = await collect(client, ask(wire, "say:Hello there, Ann.\nIt is\n\nme: ünï"))
    assert (
        "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hello there, Ann.\nIt is\n\nme: ünï"
    )
    assert len(events) > 5
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"
    usage = finish.usage
    assert usage.output_tokens == 7
    assert usage.input_tokens > 10
    assert usage.cached_input_tokens == usage.input_tokens // 2


async def test_reasoning_comes_before_text_with_its_own_index(client: ModelClient, wire: Wire) -> None:
    events = await collect(client, ask(wire, "think:let me see\nsay:ok"))
    thoughts = [e for e in events if isinstance(e, ReasoningDelta)]
    assert "".join(e.text for e in thoughts) == "let me see"
    assert len({e.index for e in thoughts}) == 1
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.usage.reasoning_tokens == (None if wire.type == "anthropic" else 3)


async def test_reasoning_goes_back_as_it_came(client: ModelClient, wire: Wire, server: ModelServer) -> None:
    first = ask(wire, "think:let me see\nsay:ok\ncall:look {}")
    events = await collect(client, first)
    parts = answer_of(events, wire.type)
    call = next(part for part in parts if isinstance(part, ToolCall))
    history = (
        *first.messages,
        Message("assistant", parts),
        Message("tool", (ToolReturn(call.id, "look", "x"),)),
    )
    await collect(client, replace(first, messages=history))
    sent = orjson.dumps(asked(server)).decode()
    assert "let me see" in sent.replace("think:let me see", "")
    match wire.type:
        case "anthropic":
            thought = asked(server)["messages"][1]["content"][0]
            assert thought == {"type": "thinking", "thinking": "let me see", "signature": "c2lnbmVk"}
        case "openai":
            thought = asked(server)["input"][1]
            assert thought["type"] == "reasoning"
            assert thought["encrypted_content"].startswith("encrypted-")
            assert thought["summary"] == [{"type": "summary_text", "text": "let me see"}]
        case _:
            assert asked(server)["messages"][2]["reasoning_content"] == "let me see"


async def test_thinking_of_another_vendor_is_never_sent(
    client: ModelClient, wire: Wire, server: ModelServer
) -> None:
    foreign = Reasoning("top secret", "signed", vendor="acme", id="reasoning_content")
    said = Message("assistant", (foreign, Text("hi")))
    await collect(client, ask(wire, "say:ok", Message("user", (Text("hello"),)), said))
    sent = orjson.dumps(asked(server)).decode()
    assert "top secret" not in sent
    assert "signed" not in sent


@pytest.mark.parametrize("name", ["responses", "anthropic"])
async def test_redacted_thinking_makes_the_round_trip(name: str, server: ModelServer) -> None:
    wire = WIRES[name]
    client = open_client(Endpoint("mine", wire.type, server.url, KEY))
    first = ask(wire, "redacted:blob==\nsay:ok")
    events = await collect(client, first)
    thought = next(e for e in events if isinstance(e, ReasoningDelta))
    assert thought.redacted
    assert thought.signature == "blob=="
    parts = answer_of(events, wire.type)
    await collect(client, ask(wire, "say:fine", *first.messages, Message("assistant", parts)))
    assert orjson.dumps(asked(server)).count(b'"blob=="') == 1


async def test_parallel_calls_keep_their_order_ids_and_argument_text(client: ModelClient, wire: Wire) -> None:
    one, two = '{"n": 1.0,  "data": {"deep": [1, 2]}}', '{ "n":2 }'
    request = ask(wire, f"call:store {one}\ncall:store {two}", tools=TOOLS, parallel_tool_calls=True)
    events = await collect(client, request)
    calls = [part for part in answer_of(events, wire.type) if isinstance(part, ToolCall)]
    assert [call.arguments for call in calls] == [one, two]
    assert len({call.id for call in calls}) == 2
    assert [e.index for e in events if isinstance(e, ToolCallStart)] == [0, 1]
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == "tool_calls"


async def test_a_calls_arguments_go_back_unchanged(
    wire: Wire, client: ModelClient, server: ModelServer
) -> None:
    spelled = '{"n":   12345678901234567890123, "x": 1.00, "name": "Zoë"}'
    call = Message("assistant", (ToolCall("call_1", "store", spelled),))
    back = Message("tool", (ToolReturn("call_1", "store", "stored", "error"),))
    exchange = Exchange()
    request = ask(wire, "say:x", tools=TOOLS)
    await collect(client, replace(request, messages=(*request.messages, call, back)), exchange)
    sent = exchange.request.decode()
    assert spelled in sent or orjson.dumps(spelled).decode() in sent


async def test_malformed_arguments_come_through_and_go_back(
    wire: Wire, client: ModelClient, server: ModelServer
) -> None:
    broken = '{"n": 1, "data": {"oops"'
    first = ask(wire, f"call:store {broken}\nstep:\nsay:sorry", tools=TOOLS)
    parts = answer_of(await collect(client, first), wire.type)
    call = parts[0]
    assert isinstance(call, ToolCall)
    assert call.arguments == broken
    back = Message("tool", (ToolReturn(call.id, "store", "Not JSON.", "error"),))
    events = await collect(
        client, replace(first, messages=(*first.messages, Message("assistant", parts), back))
    )
    assert answer_of(events, wire.type) == (Text("sorry"),)
    assert "oops" in orjson.dumps(asked(server)).decode()


async def test_free_form_parameters_stay_free(client: ModelClient, wire: Wire, server: ModelServer) -> None:
    strict = (replace(TOOLS[0], strict=True), TOOLS[1])
    await collect(client, ask(wire, "say:ok", tools=strict))
    assert wire.tool_schemas(asked(server))[0] == FREE


async def test_strict_tools_are_closed_where_they_can_be(server: ModelServer) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a"],
    }
    tool = ToolSpec("f", "F.", schema, strict=True)
    for wire in (WIRES["responses"], WIRES["anthropic"], Wire("openai", "gpt-4o-mini")):
        client = open_client(Endpoint("mine", wire.type, server.url, KEY))
        await collect(client, ask(wire, "say:ok", tools=(tool,)))
        [sent] = asked(server)["tools"]
        sent = sent.get("function", sent)
        assert sent["strict"] is True
        closed = sent.get("parameters") or sent.get("input_schema")
        assert closed["additionalProperties"] is False
        assert closed["required"] == ["a", "b"]
        assert closed["properties"]["b"] == {"type": ["integer", "null"]}


async def test_images_go_as_data_and_as_addresses(
    client: ModelClient, wire: Wire, server: ModelServer
) -> None:
    images = (Image("image/png", PNG), Image(url="https://example.com/cat.png"))
    request = ask(wire, "say:nice")
    pictured = Message("user", (Text("say:nice"), *images))
    await collect(client, replace(request, messages=(pictured,)))
    sent = orjson.dumps(asked(server)).decode()
    assert PNG in sent
    assert "https://example.com/cat.png" in sent
    assert "image/png" in sent


async def test_structured_output_is_asked_for(client: ModelClient, wire: Wire, server: ModelServer) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    events = await collect(client, ask(wire, 'say:{"ok": true}', response_format=form))
    assert answer_of(events, wire.type) == (Text('{"ok": true}'),)
    body = asked(server)
    sent = {
        "anthropic": lambda: body["output_config"]["format"]["schema"]["properties"],
        "openai": lambda: body["text"]["format"]["schema"]["properties"],
        "vllm": lambda: body["response_format"]["json_schema"]["schema"]["properties"],
    }[wire.type]()
    assert sent == schema["properties"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("fail:400", ModelBadRequest),
        ("fail:401", ModelAuthenticationError),
        ("fail:403", ModelAuthenticationError),
        ("fail:404", ModelBadRequest),
        ("fail:408", ModelTimeout),
        ("fail:413", ContextOverflow),
        ("fail:422", ModelBadRequest),
        ("fail:429", ModelRateLimited),
        ("fail:500", ModelUnavailable),
        ("fail:502", ModelUnavailable),
        ("fail:503", ModelUnavailable),
        ("fail:529", ModelUnavailable),
        ("overflow:", ContextOverflow),
        ("quota:", ModelQuotaExceeded),
        ("filter:", ContentFiltered),
        ("error:it all fell down", ModelUnavailable),
        ("say:a\nerror:it all fell down", ModelUnavailable),
    ],
)
async def test_failures_are_sorted_and_quote_the_provider(
    client: ModelClient, wire: Wire, script: str, error: type[ModelError]
) -> None:
    with pytest.raises(ModelError) as caught:
        await collect(client, ask(wire, script))
    assert type(caught.value) is error
    assert "'mine'" in caught.value.detail
    if script.startswith("fail"):
        assert f"Scripted failure {script[5:]}" in caught.value.detail
    assert caught.value.retry_after == (1.0 if script == "fail:429" else None)


async def test_a_cut_stream_gives_what_came_and_then_says_so(client: ModelClient, wire: Wire) -> None:
    events: list[ModelEvent] = []
    with pytest.raises(StreamCut, match="'mine' broke off"):
        await collect_into(events, client, ask(wire, "cut:\ncount:20"))
    assert any(isinstance(event, TextDelta) for event in events)
    assert not any(isinstance(event, Finish) for event in events)


async def test_an_answer_may_end_for_length_or_refusal(client: ModelClient, wire: Wire) -> None:
    for script, reason in (("say:a b\nlength:", "length"), ("say:no\nrefuse:", "content_filter")):
        finish = (await collect(client, ask(wire, script)))[-1]
        assert isinstance(finish, Finish)
        assert finish.reason == reason


@pytest.mark.parametrize("script", ["wait:5000\nsay:late", "slow:200\ncount:50"])
async def test_cancelling_ends_the_call_at_the_provider(
    client: ModelClient, wire: Wire, server: ModelServer, script: str
) -> None:
    task = asyncio.create_task(collect(client, ask(wire, script)))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 0.1
    await _until(lambda: server.requests[-1]["disconnected"])


async def test_leaving_a_stream_early_ends_the_call(
    client: ModelClient, wire: Wire, server: ModelServer
) -> None:
    async with aclosing(client.stream(ask(wire, "slow:20\ncount:200"))) as events:  # type: ignore[type-var]
        async for _ in events:
            break
    await _until(lambda: server.requests[-1]["disconnected"])


async def _until(condition: Any) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.01)


async def test_silence_is_a_timeout_but_slow_steady_answers_are_not(wire: Wire, server: ModelServer) -> None:
    client = open_client(Endpoint("mine", wire.type, server.url, KEY, idle_seconds=0.15))
    with pytest.raises(ModelTimeout, match=r"'mine' sent nothing for 0\.15 seconds"):
        await collect(client, ask(wire, "wait:1000\nsay:late"))
    with pytest.raises(ModelTimeout):
        await collect(client, ask(wire, "slow:1000\nsay:late"))
    began = time.monotonic()
    await collect(client, ask(wire, "slow:30\ncount:10"))
    assert time.monotonic() - began > 0.3


async def test_the_exchange_holds_the_raw_call_and_no_key(
    client: ModelClient, wire: Wire, server: ModelServer
) -> None:
    exchange = Exchange()
    await collect(client, ask(wire, "say:hello"), exchange)
    assert exchange.url.startswith(server.url)
    assert exchange.status == 200
    assert orjson.loads(exchange.request) == asked(server)
    assert b"hello" in exchange.response
    assert KEY in str(server.requests[-1]["headers"])
    assert KEY.encode() not in exchange.request + bytes(exchange.response) + exchange.url.encode()


async def test_a_server_that_cannot_be_reached_is_named(wire: Wire) -> None:
    client = open_client(Endpoint("mine", wire.type, "http://127.0.0.1:9", KEY))
    with pytest.raises(ModelUnavailable, match=r"'mine' cannot be reached at http://127\.0\.0\.1:9"):
        await collect(client, ask(wire, "say:x"))


async def test_an_unusable_address_is_refused_in_words(wire: Wire) -> None:
    with pytest.raises(InvalidArgument, match="base_url"):
        open_client(Endpoint("mine", wire.type, "http://[::bad", KEY))
