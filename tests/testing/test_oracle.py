"""The oracle knows what vendors refuse, and lets the rest pass."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Message, Part, Reasoning, Text, ToolCall, ToolReturn
from perdure.loop.request import paired
from perdure.providers.base import ModelRequest, ToolChoice, ToolSpec
from perdure.testing.model_server import ModelServer
from perdure.testing.oracle import anthropic, chat, gemini, refusal, refusal_of, responses

HELLO = {"role": "user", "content": "hello"}
ASKED = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]}
TOLD = {"role": "tool", "tool_call_id": "a", "content": "done"}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


WORDS = {"type": "text", "text": "hello"}
USE = {"type": "tool_use", "id": "a", "name": "t", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "done"}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([HELLO, ASKED, TOLD, HELLO], None),
        ([], "empty"),
        ([HELLO, ASKED, HELLO, TOLD], "no return"),
        ([HELLO, ASKED], "no return"),
        ([HELLO, TOLD], "waits for none"),
        ([HELLO, ASKED, TOLD, TOLD], "waits for none"),
        ([HELLO, ASKED, TOLD, ASKED, TOLD], "twice"),
        ([{"role": "user", "content": ""}], "without content"),
        ([{"role": "assistant", "content": None}], "without content"),
        ([HELLO, {**ASKED, "tool_calls": []}], "tool_calls is empty"),
        ([HELLO, {**ASKED, "tool_calls": [{"id": "a", "function": {"arguments": "{oops"}}]}, TOLD], "JSON"),
    ],
)
def test_chat_completions(messages: list[dict[str, Any]], words: str | None) -> None:
    _check(chat.refusal({"messages": messages}), words)


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([turn("user", WORDS), turn("assistant", USE), turn("user", RESULT, WORDS)], None),
        ([turn("assistant", WORDS), turn("user", WORDS)], "first must be"),
        ([turn("user", WORDS), turn("user", WORDS)], "alternate"),
        ([turn("user")], "content is empty"),
        ([turn("user", {"type": "text", "text": " \n"})], "without words"),
        ([turn("user", WORDS), turn("assistant", USE), turn("user", WORDS)], "no return"),
        ([turn("user", WORDS), turn("assistant", USE), turn("user", WORDS, RESULT)], "before anything"),
        ([turn("user", RESULT)], "waits for none"),
        ([turn("user", WORDS), turn("assistant", {**USE, "id": "f.b:0"}), turn("user", RESULT)], "no id of"),
        ([turn("user", WORDS), turn("assistant", {**USE, "input": "x"}), turn("user", RESULT)], "no object"),
        ([turn("user", *({**WORDS, "cache_control": {}} for _ in range(5)))], "cache points"),
    ],
)
def test_anthropic(turns: list[dict[str, Any]], words: str | None) -> None:
    _check(anthropic.refusal({"messages": turns, "max_tokens": 1}), words)


def test_anthropics_thinking_begins_the_answer_whose_calls_returned() -> None:
    turns = [turn("user", WORDS), turn("assistant", USE), turn("user", RESULT)]
    body = {"messages": turns, "max_tokens": 1, "thinking": {"type": "enabled"}}
    _check(anthropic.refusal(body), "do not begin with the thinking")
    turns[1]["content"].insert(0, {"type": "thinking", "thinking": "hm", "signature": "s"})
    _check(anthropic.refusal(body), None)


CALLED = {"type": "function_call", "call_id": "a", "name": "t", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "done"}


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([HELLO, {"type": "reasoning"}, CALLED, OUTPUT], None),
        ([HELLO, CALLED], "no return"),
        ([HELLO, OUTPUT], "waits for none"),
        ([HELLO, {"type": "reasoning"}], "must follow"),
        ([HELLO, {"type": "reasoning"}, HELLO], "must follow"),
        ([{"role": "user", "content": []}], "without content"),
    ],
)
def test_responses(items: list[dict[str, Any]], words: str | None) -> None:
    _check(responses.refusal({"input": items}), words)


ASKS = {"role": "model", "parts": [{"functionCall": {"name": "t"}}]}
GIVES = {"role": "user", "parts": [{"functionResponse": {"name": "t"}}]}
SAYS = {"role": "user", "parts": [{"text": "hello"}]}


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([SAYS, ASKS, GIVES], None),
        ([SAYS, ASKS], "no response"),
        ([SAYS, GIVES], "1 function responses for 0"),
        ([ASKS, GIVES], "right after"),
        ([{"role": "user", "parts": []}], "without content"),
    ],
)
def test_gemini(contents: list[dict[str, Any]], words: str | None) -> None:
    _check(gemini.refusal({"contents": contents}), words)


def test_tools_are_named_once_and_chosen_among_those_offered() -> None:
    tool = {"type": "function", "function": {"name": "t"}}
    for fields, words in (
        ({"tools": []}, "tools is empty"),
        ({"tools": [tool, tool]}, "twice"),
        ({"tool_choice": "required"}, "without tools"),
        ({"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "u"}}}, "no tool 'u'"),
        ({"tools": [tool], "tool_choice": "required"}, None),
    ):
        _check(chat.refusal({"messages": [HELLO], **fields}), words)


def _check(fault: str | None, words: str | None) -> None:
    assert fault is None if words is None else fault is not None and words in fault, fault


ids = st.sampled_from(["a", "b", "functions.t:0", ""])
parts: st.SearchStrategy[tuple[Part, ...]] = st.lists(
    st.one_of(
        st.sampled_from(["", " ", "words"]).map(Text),
        st.builds(ToolCall, ids, st.just("t"), st.sampled_from(["", "{}", "[]", '{"a": 1', '{"a": 1.0}'])),
        st.builds(
            Reasoning,
            st.just("hm"),
            st.none() | st.just("sig"),
            vendor=st.sampled_from(["openai", "anthropic"]),
        ),
    ),
    max_size=3,
).map(tuple)
answers = parts.map(lambda said: Message("assistant", said))
others = st.one_of(
    st.just(Message("user", (Text("hello"),))),
    st.just(Message("system", (Text("told"),))),
    st.lists(ids, min_size=1, max_size=2).map(
        lambda given: Message("tool", tuple(ToolReturn(id, "t", "done") for id in given))
    ),
)


@given(st.lists(answers | others, max_size=8), st.sampled_from(["auto", "required"]))
def test_no_vendor_refuses_what_the_model_is_told_of_any_history(history: list[Message], mode: Any) -> None:
    told = (*paired(history), Message("user", (Text("go on"),)))
    assert refusal(told) is None
    tool = ToolSpec("t", "Does.", {"type": "object", "properties": {}})
    choice = ToolChoice(mode)
    assert refusal_of(ModelRequest("m", "sys", told, (tool,), choice, thinking_budget=2000)) is None


def test_the_model_server_refuses_as_a_vendor_would() -> None:
    with ModelServer() as server:
        body = {"model": "m", "messages": [HELLO, ASKED], "max_tokens": 5}
        for path in ("/v1/chat/completions", "/v1/messages"):
            answer = httpx.post(server.url + path, json=body if "chat" in path else {**body, "messages": []})
            assert answer.status_code == 400
            assert answer.json()["error"]["message"] == server.requests[-1]["refused"]
