"""Our client against a real model: streaming, usage, cancelling, forced JSON. Its wit is not tested."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from perdure.content.parts import Message, Text, ToolCall, ToolReturn
from perdure.providers.base import (
    Exchange,
    Finish,
    ModelClient,
    ModelEvent,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolChoice,
    ToolSpec,
)
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors import close_pool, list_models, open_client

pytestmark = pytest.mark.real
SAVE = ToolSpec(
    "memory_insert",
    "Save a fact about the user.",
    {"type": "object", "properties": {"text": {"type": "string", "maxLength": 60}}, "required": ["text"]},
)


@pytest_asyncio.fixture(scope="module", autouse=True)
async def pool() -> AsyncIterator[None]:
    yield
    await close_pool()


def ask(text: str, *before: Message, **fields: object) -> ModelRequest:
    said = (*before, Message("user", (Text(text),)))
    return ModelRequest("smollm2", "You are a helpful assistant.", said, **fields)  # type: ignore[arg-type]


async def collect(
    client: ModelClient, request: ModelRequest, exchange: Exchange | None = None
) -> list[ModelEvent]:
    return [event async for event in client.stream(request, exchange)]


def client_of(llama: str) -> ModelClient:
    return open_client(Endpoint("llama", "llamacpp", llama))


async def test_text_is_streamed_and_tokens_are_counted(llama: str) -> None:
    exchange = Exchange()
    events = await collect(client_of(llama), ask("Say hello.", max_output_tokens=20), exchange)
    assert len([e for e in events if isinstance(e, TextDelta)]) > 3
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason in ("stop", "length")
    assert finish.usage.input_tokens > 10
    assert 3 < finish.usage.output_tokens <= 20
    assert exchange.status == 200


async def test_an_answer_that_is_cut_at_its_limit_says_so(llama: str) -> None:
    finish = (await collect(client_of(llama), ask("Tell a long story.", max_output_tokens=5)))[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == "length"


async def test_cancelling_stops_the_model(llama: str) -> None:
    client = client_of(llama)
    task = asyncio.create_task(
        collect(client, ask("Count.", max_output_tokens=2000, extra={"ignore_eos": True}))
    )
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    began = time.monotonic()  # the only slot must be free again
    await collect(client, ask("Hi.", max_output_tokens=3))
    assert time.monotonic() - began < 10


async def test_structured_output_is_what_the_schema_says(llama: str) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    events = await collect(client_of(llama), ask("Where?", response_format=form, max_output_tokens=40))
    text = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert orjson.loads(text)["city"] in ("Rome", "Oslo")


async def test_the_servers_models_are_listed_with_their_window(llama: str) -> None:
    [model] = await list_models(Endpoint("llama", "llamacpp", llama))
    assert model.kind == "llm"
    assert model.context_window


async def test_a_local_file_speaks_and_calls_tools_through_a_schema(weights: Path) -> None:
    pytest.importorskip("xllamacpp")
    endpoint = Endpoint("mine", "local", f"{weights}?context=4096")
    [listed] = await list_models(endpoint)
    assert (listed.name, listed.context_window) == (weights.stem, 4096)
    client = open_client(endpoint)
    request = ask("My name is Ann.", tools=(SAVE,), tool_choice=ToolChoice("required"), max_output_tokens=120)
    events = await collect(client, request)
    [start] = [e for e in events if isinstance(e, ToolCallStart)]
    arguments = "".join(e.arguments for e in events if isinstance(e, ToolCallDelta))
    assert start.name == "memory_insert"
    assert isinstance(orjson.loads(arguments)["text"], str)
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == "tool_calls"
    history = (
        *request.messages,
        Message("assistant", (ToolCall(start.id, start.name, arguments),)),
        Message("tool", (ToolReturn(start.id, start.name, "Saved."),)),
    )
    answer = await collect(client, ask("Hello?", *history, tools=(SAVE,), max_output_tokens=60))
    assert isinstance(answer[-1], Finish)
    plain = await collect(client, ask("Say hi.", max_output_tokens=10))
    assert any(isinstance(e, TextDelta) for e in plain)
