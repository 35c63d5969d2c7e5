"""The pure parts of the vendors' adapters: addresses, streams, tags, schemas, lists, words of errors."""

import asyncio
import json
import string
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.content.parts import Message, Reasoning, Text, ToolCall, ToolReturn
from perdure.kit.errors import InvalidArgument
from perdure.providers.base import (
    Finish,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolChoice,
    ToolSpec,
)
from perdure.providers.endpoint import Endpoint, ListedModel, normal_url, root_url
from perdure.providers.vendors import (
    anthropic,
    chat,
    close_pool,
    list_models,
    listing,
    open_client,
    responses,
    warm,
)
from perdure.providers.vendors.chat_answer import ChatAnswer
from perdure.providers.vendors.compatible import DIALECTS, dialect_of
from perdure.providers.vendors.errors import quote, retry_after
from perdure.providers.vendors.local_tools import Steered, string_so_far, with_schema
from perdure.providers.vendors.sse import SseDecoder
from perdure.providers.vendors.strict import strict_schema
from perdure.providers.vendors.think_tags import ThinkTags
from perdure.providers.vendors.weights import weights_of
from perdure.providers.vendors.wire import chat_client
from perdure.testing.model_server import ModelServer

LOCAL = ("ollama", "vllm", "lmstudio", "lmstudio_openai", "sglang")
hosts = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,5}){0,2}(:[1-9][0-9]{0,3})?", fullmatch=True)
endings = st.sampled_from(["", "/", "/v1", "/v1/", "//v1//", "/v1/chat/completions", "/v1/models/"])


@given(
    type=st.sampled_from(LOCAL),
    host=hosts,
    ending=endings,
    scheme=st.sampled_from(["", "http://", "HTTP://"]),
)
def test_a_local_servers_address_may_be_spelled_in_any_way(
    type: str, host: str, ending: str, scheme: str
) -> None:
    assert normal_url(type, f" {scheme}{host}{ending} ") == f"http://{host}/v1"
    assert root_url(type, f"{scheme}{host}{ending}") == f"http://{host}"


@given(
    type=st.sampled_from([*DIALECTS, "anthropic", "google_ai", "unheard-of"]),
    host=hosts,
    path=st.lists(st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=5), max_size=3),
)
def test_spelling_an_address_again_changes_nothing(type: str, host: str, path: list[str]) -> None:
    once = normal_url(type, f"https://{host}/{'/'.join(path)}")
    assert normal_url(type, once) == once
    assert not once.endswith("/")


@pytest.mark.parametrize(
    ("type", "url", "normal"),
    [
        ("lmstudio", "localhost:1234/api/v0", "http://localhost:1234/v1"),
        ("ollama", "http://box:11434/api", "http://box:11434/v1"),
        ("openai", "https://host", "https://host/v1"),
        ("openai", "https://host/proxy/", "https://host/proxy"),
        ("groq", "https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1"),
        ("zai", "https://api.z.ai/api/paas/v4/chat/completions", "https://api.z.ai/api/paas/v4"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com"),
        (
            "google_ai",
            "https://generativelanguage.googleapis.com/v1beta",
            "https://generativelanguage.googleapis.com",
        ),
        ("azure", "https://me.openai.azure.com/", "https://me.openai.azure.com"),
        ("vllm", "http://user:pw@host/v1", "http://user:pw@host/v1"),
    ],
)
def test_addresses(type: str, url: str, normal: str) -> None:
    assert normal_url(type, url) == normal


@pytest.mark.parametrize("url", ["", "http://", "http://[::1", "http://host:99999999", "http:///v1"])
def test_an_address_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(InvalidArgument, match="base_url"):
        normal_url("openai", url)


def test_azure_names_the_deployment_where_an_api_version_is_given() -> None:
    old = chat_client(Endpoint("a", "azure", "https://me.openai.azure.com", "k", api_version="2024-10-21"))
    assert old.format.url("gpt") == (
        "https://me.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    )
    new = chat_client(Endpoint("a", "azure", "https://me.openai.azure.com/openai/v1/", "k"))
    assert new.format.url("gpt") == "https://me.openai.azure.com/openai/v1/chat/completions"
    assert new.format.headers["api-key"] == "k"


@given(
    datas=st.lists(
        st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), min_size=1)
    ),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 400), max_size=30),
    last=st.booleans(),
)
@example(datas=[["a"]], newline="\r\n", cuts=[8, 9, 10], last=True)
def test_events_come_whole_however_the_bytes_are_cut(
    datas: list[list[str]], newline: str, cuts: list[int], last: bool
) -> None:
    blocks = [newline.join(f"data: {line}" for line in lines) for lines in datas]
    stream = "".join(
        f": ping{newline}{newline}event: x{newline}{block}{newline * 2}" for block in blocks
    ).encode()
    if not last and stream:
        stream = stream[: -len(newline)]
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    decoder = SseDecoder()
    found = [data for start, end in pairwise(places) for data in decoder.feed(stream[start:end])]
    assert found + decoder.close() == ["\n".join(lines).encode() for lines in datas]


@given(
    lead=st.sampled_from(["", "\n", " "]),
    thought=st.text("ab</think> \n", max_size=12).filter(lambda text: "</think>" not in text),
    said=st.text("xyz<think> ", max_size=12),
    cuts=st.lists(st.integers(0, 40), max_size=12),
)
def test_think_tags_are_split_off_however_the_text_is_cut(
    lead: str, thought: str, said: str, cuts: list[int]
) -> None:
    text = f"{lead}<think>{thought}</think>{said}"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    tags = ThinkTags()
    pieces = [piece for start, end in pairwise(places) for piece in tags.feed(text[start:end])]
    pieces += tags.close()
    assert "".join(part for thinking, part in pieces if not thinking) == said.lstrip("\n")
    assert "".join(part for thinking, part in pieces if thinking).strip("\n") == thought.strip("\n")


@given(st.lists(st.text("ab<think>/ ", max_size=6)))
def test_text_without_the_tag_at_its_start_is_untouched(pieces: list[str]) -> None:
    text = "".join(pieces)
    if text.lstrip().startswith("<think>"):
        return
    tags = ThinkTags()
    given = [found for piece in pieces for found in tags.feed(piece)] + tags.close()
    assert "".join(part for _, part in given) == text
    assert not any(thinking for thinking, _ in given)


def read(*deltas: dict[str, Any], finish: str = "stop") -> list[ModelEvent]:
    answer = ChatAnswer("p")
    events = [event for delta in deltas for event in answer.feed({"choices": [{"delta": delta}]})]
    events += answer.feed({"choices": [{"delta": {}, "finish_reason": finish}]})
    return [*events, *answer.finish()]


def test_calls_without_numbers_or_ids_are_told_apart() -> None:
    events = read(
        {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
        {"tool_calls": [{"id": "b", "function": {"name": "g", "arguments": '{"x"'}}]},
        {"tool_calls": [{"function": {"arguments": ":1}"}}]},
    )
    assert [e.name for e in events if isinstance(e, ToolCallStart)] == ["f", "g"]
    assert [(e.index, e.arguments) for e in events if isinstance(e, ToolCallDelta)] == [
        (0, "{}"), (1, '{"x"'), (1, ":1}"),
    ]  # fmt: skip
    same_number = read(
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}}]},
    )
    assert [e.id for e in same_number if isinstance(e, ToolCallStart)] == ["a", "b"]
    [nameless] = [
        e
        for e in read({"tool_calls": [{"index": 0, "function": {"name": "f"}}]})
        if isinstance(e, ToolCallStart)
    ]
    assert nameless.id.startswith("call_")
    assert isinstance(same_number[-1], Finish)
    assert same_number[-1].reason == "tool_calls"


def test_reasoning_is_found_wherever_a_server_puts_it() -> None:
    assert read({"reasoning": "hm"})[0] == ReasoningDelta("hm", id="reasoning")
    assert (
        read({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]})[0].text
        == "hm"
    )  # type: ignore[union-attr]
    assert read({"content": "<think>hm</think>ok"})[:2] == [ReasoningDelta("hm"), TextDelta("ok")]


def test_openrouters_reasoning_details_make_the_round_trip() -> None:
    details = [
        {
            "type": "reasoning.text",
            "text": "hm",
            "signature": "sig",
            "format": "anthropic-claude-v1",
            "index": 0,
        },
        {"type": "reasoning.encrypted", "data": "blob", "index": 1},
    ]
    events = read({"reasoning": "hm", "reasoning_details": details})
    parts = tuple(
        Reasoning(e.text, e.signature, e.redacted, "openrouter", e.id)
        for e in events
        if isinstance(e, ReasoningDelta)
    )
    said = Message("assistant", (*parts, Text("ok")))
    [wire] = chat.to_wire(ModelRequest("m", "", (said,)), "openrouter", dialect_of("openrouter"))["messages"]
    assert wire["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "blob"},
    ]


CALLED = (
    Message("user", (Text("go"),)),
    Message("assistant", (ToolCall("toolu_01ABCdef", "f", "{}"),)),
    Message("tool", (ToolReturn("toolu_01ABCdef", "f", "done"),)),
    Message("system", (Text("A note."),)),
)


def test_every_chat_dialect_gives_a_body_that_json_can_hold() -> None:
    tool = ToolSpec("f", "F.", {"type": "object", "properties": {}})
    for vendor, dialect in DIALECTS.items():
        request = ModelRequest(
            "m", "s", CALLED, (tool,), ToolChoice("named", "f"), temperature=0.5, max_output_tokens=9,
            reasoning_effort="low",
        )  # fmt: skip
        wire = orjson.loads(orjson.dumps(chat.to_wire(request, vendor, dialect)))
        assert wire[dialect.max_tokens] == 9
        assert wire["tool_choice"] == {"type": "function", "function": {"name": "f"}}
        assert wire["messages"][-1]["role"] == ("system" if dialect.system_anywhere else "user")
        ids = {wire["messages"][2]["tool_calls"][0]["id"], wire["messages"][3]["tool_call_id"]}
        assert len(ids) == 1
        assert vendor != "mistral" or all(len(name) == 9 and name.isalnum() for name in ids)
        assert ("reasoning_content" in wire["messages"][2]) == (dialect.thinking_back == "always")


def test_settings_that_a_model_would_refuse_are_not_sent() -> None:
    def body(model: str, vendor: str = "openai", **fields: Any) -> dict[str, Any]:
        return chat.to_wire(ModelRequest(model, "", CALLED, **fields), vendor, dialect_of(vendor))

    assert "reasoning_effort" not in body("gpt-4o", reasoning_effort="high")
    assert "temperature" not in body("o3-mini", "azure", temperature=0.7)
    assert body("gpt-4o", temperature=0.7)["temperature"] == 0.7
    assert body("any", "openrouter", reasoning_effort="low")["reasoning"] == {"effort": "low"}
    assert "response_format" not in body("m", response_format={"type": "text"})
    sent = responses.to_wire(ModelRequest("gpt-5", "", CALLED, temperature=0.7), "openai")
    assert "temperature" not in sent
    assert sent["store"] is False


def claude(model: str, *messages: Message, **fields: Any) -> dict[str, Any]:
    return anthropic.to_wire(ModelRequest(model, "Be kind.", messages or CALLED[:1], **fields))


def test_claude_is_told_to_think_in_its_models_own_way() -> None:
    assert claude("claude-haiku-4-5", thinking_budget=2000)["thinking"] == {
        "type": "enabled",
        "budget_tokens": 2000,
    }
    assert claude("claude-haiku-4-5", reasoning_effort="low")["thinking"]["budget_tokens"] == 2048
    new = claude("claude-opus-5", reasoning_effort="high", temperature=0.3)
    assert new["thinking"]["type"] == "adaptive"
    assert new["output_config"] == {"effort": "high"}
    assert "temperature" not in new
    assert claude("claude-haiku-4-5", temperature=1.7)["temperature"] == 1.0
    assert "thinking" not in claude("claude-3-5-haiku-latest", reasoning_effort="high")
    assert "thinking" not in claude("claude-opus-5")
    small = claude("claude-haiku-4-5", thinking_budget=5000, max_output_tokens=4096)
    assert small["max_tokens"] > 5000


def test_claude_does_not_think_where_the_api_would_refuse_it() -> None:
    tool = ToolSpec("f", "F.", {"type": "object", "properties": {}})
    forced = claude(
        "claude-haiku-4-5", thinking_budget=2000, tools=(tool,), tool_choice=ToolChoice("required")
    )
    assert "thinking" not in forced
    assert forced["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    unsigned = claude("claude-haiku-4-5", *CALLED[:3], thinking_budget=2000)
    assert "thinking" not in unsigned
    answered = claude("claude-haiku-4-5", *CALLED[:3], Message("user", (Text("and?"),)), thinking_budget=2000)
    assert answered["thinking"]


def test_claude_caches_tools_system_and_the_last_message() -> None:
    tool = ToolSpec("f", "F.", {"type": "object", "properties": {}})
    wire = claude("claude-haiku-4-5", *CALLED, tools=(tool, tool))
    assert wire["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" in wire["tools"][-1]
    assert "cache_control" in wire["messages"][-1]["content"][-1]
    assert orjson.dumps(wire).count(b"cache_control") == 3


def test_claude_hears_turns_by_turns_and_results_first() -> None:
    wire = claude(
        "claude-haiku-4-5",
        Message("assistant", (Text("Welcome."),)),
        Message("user", (Text("one"),)),
        Message("user", (Text("two"), Text("  "))),
        Message("assistant", (ToolCall("t", "f", "{}"),)),
        Message("user", (Text("meanwhile"),)),
        Message("tool", (ToolReturn("t", "f", "done"),)),
    )
    assert [turn["role"] for turn in wire["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert [block["type"] for block in wire["messages"][-1]["content"]] == ["tool_result", "text"]
    assert [block["text"] for block in wire["messages"][2]["content"]] == ["one", "two"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "object"}]}}},
    ],
)
def test_a_schema_with_anything_free_in_it_cannot_be_strict(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


def test_a_strict_schema_requires_all_and_lets_optionals_be_null() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "format": "date", "minLength": 1, "pattern": "x"},
            "b": {"enum": ["x"], "type": "string", "default": "x", "format": "odd"},
        },
        "required": ["a"],
        "$defs": {"c": {"type": "object", "properties": {}}},
    }
    made = strict_schema(schema)
    assert made is not None
    assert made["required"] == ["a", "b"]
    assert made["properties"]["a"] == {"type": "string", "format": "date"}
    assert made["properties"]["b"] == {"anyOf": [{"enum": ["x"], "type": "string"}, {"type": "null"}]}
    assert made["$defs"]["c"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "No."}}', "No."),
        (b'{"error": "No."}', "No."),
        (b'{"detail": "No."}', "No."),
        (b'[{"error": {"message": "No."}}]', "No."),
        (b"<html><body>Bad  gateway</body></html>", "Bad gateway"),
        (b'{"error": {"message": "Upstream", "metadata": {"raw": "why"}}}', "Upstream (why)"),
        (b"", ""),
        (b"null", "None"),
    ],
)
def test_a_providers_words_are_found_in_any_shape(body: bytes, words: str) -> None:
    assert quote(body)[1] == words


def test_how_long_to_wait_is_read_in_every_spelling() -> None:
    assert retry_after({"retry-after": "2"}) == 2.0
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_model_lists_tell_kinds_and_limits() -> None:
    rows = [
        {"id": "x-ai/grok-4", "context_length": 256000, "top_provider": {"max_completion_tokens": 64000}},
        {"id": "llama", "max_model_len": 8192},
        {"id": "ggml", "meta": {"n_ctx_train": 4096}},
        {"id": "text-embedding-3-small"},
        {"id": "whisper-1"},
        {"id": "painter", "architecture": {"output_modalities": ["image"]}},
        {"id": "ocr", "capabilities": {"completion_chat": False}},
    ]
    assert listing.read_compatible({"data": rows}) == [
        ListedModel("x-ai/grok-4", "llm", 256000, 64000),
        ListedModel("llama", "llm", 8192),
        ListedModel("ggml", "llm", 4096),
        ListedModel("text-embedding-3-small", "embedding"),
    ]
    assert listing.read_compatible([{"id": "a", "type": "chat", "context_length": 10}]) == [
        ListedModel("a", "llm", 10)
    ]


def test_ollama_runs_with_the_window_it_was_given() -> None:
    shown = {"model_info": {"llama.context_length": 131072}, "parameters": "stop x\nnum_ctx    4096\n"}
    assert listing.read_ollama("m", shown) == ListedModel("m", "llm", 4096)


async def test_models_are_listed_over_real_http() -> None:
    with ModelServer() as server:
        for vendor, window, output, read in (
            ("vllm", 32768, None, None),
            ("anthropic", None, None, None),
            ("google_ai", 32768, 8192, None),
            ("ollama", 32768, None, ("text",)),
            ("lmstudio", 16384, None, ("text",)),
        ):
            models = {
                model.name: model for model in await list_models(Endpoint("p", vendor, server.url, "k"))
            }
            assert models["scripted"] == ListedModel("scripted", "llm", window, output, None, read)
            if vendor != "anthropic":
                assert models["text-embedding-scripted"].kind == "embedding"
        assert await list_models(Endpoint("p", "bedrock")) == []
    await close_pool()


def test_importing_the_vendors_loads_neither_http_nor_any_of_them() -> None:
    code = (
        "import sys, perdure.providers.vendors, perdure.providers.retry, perdure.providers.endpoint\n"
        "print([m for m in ('httpx2', 'pydantic_ai', 'openai', 'anthropic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_kept_connection_that_is_gone_is_opened_again() -> None:
    """As with llama.cpp, whose server closes after a stream without saying so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        data = b'data: {"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]}\n\n'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        writer.write(head + b"content-length: %d\r\n\r\n" % len(data) + data)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")  # the next request comes, and finds nobody
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = open_client(Endpoint("llama", "llamacpp", f"http://127.0.0.1:{port}"))
        for _ in range(3):
            events = [event async for event in client.stream(ModelRequest("m", "", CALLED))]
            assert events[0] == TextDelta("ok")
        await close_pool()


async def test_warming_up_leaves_nothing_behind() -> None:
    await asyncio.to_thread(warm, {"openai", "ollama"})
    assert "perdure.providers.vendors.http" in sys.modules


@given(st.text(), st.integers(0, 2000))
def test_words_of_a_json_string_come_before_it_is_whole(text: str, cut: int) -> None:
    for raw in (
        orjson.dumps(text, option=None).decode()[1:] if text.isprintable() else json.dumps(text)[1:],
    ):
        whole = string_so_far(raw)
        assert whole == text
        assert text.startswith(string_so_far(raw[:cut]))


def steer(*pieces: str, **fields: Any) -> list[ModelEvent]:
    reader = Steered()
    events = [event for piece in pieces for event in reader.read(TextDelta(piece))]
    return [*events, *reader.read(Finish("stop"))]


def test_a_steered_model_speaks_or_calls() -> None:
    assert steer('{"sa', 'y": "He', "llo\\n", '"}') == [TextDelta("He"), TextDelta("llo\n"), Finish("stop")]
    start, arguments, finish = steer('{"tool": "f", "argu', 'ments": {"x": "1"}}')
    assert isinstance(start, ToolCallStart)
    assert start.name == "f"
    assert arguments == ToolCallDelta(0, '{"x":"1"}')
    assert finish == Finish("tool_calls")
    assert steer('{"tool": "f", "argum') == [Finish("stop")]


def test_tools_become_a_schema_and_words() -> None:
    tool = ToolSpec("f", "Does F.", {"type": "object", "properties": {"x": {"type": "string"}}})
    request = with_schema(ModelRequest("m", "Be kind.", CALLED, (tool,)))
    assert request.tools == ()
    assert "f: Does F." in request.system
    assert request.response_format is not None
    assert len(request.response_format["json_schema"]["schema"]["anyOf"]) == 2
    assert request.messages[1].parts == (Text('{"tool": "f", "arguments": {}}'),)
    assert request.messages[2] == Message("user", (Text("[f returned] done"),))
    forced = with_schema(ModelRequest("m", "", CALLED, (tool,), ToolChoice("named", "f"))).response_format
    assert forced is not None
    assert len(forced["json_schema"]["schema"]["anyOf"]) == 1


def test_a_local_model_is_a_file_with_room_for_a_window(tmp_path: Path) -> None:
    file = tmp_path / "my model.gguf"
    file.write_bytes(b"GGUF")
    plain = weights_of(Endpoint("l", "local", str(file)))
    assert (plain.name, plain.context) == ("my model", 8192)
    address = file.as_uri() + "?context=16384"
    assert normal_url("local", address) == address
    assert weights_of(Endpoint("l", "local", address)).context == 16384
    with pytest.raises(InvalidArgument, match=r"no model file at .*\.gguf"):
        weights_of(Endpoint("l", "local", str(tmp_path / "none.gguf")))
