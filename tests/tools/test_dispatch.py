"""Calls: whatever happens, the model gets a text it can act on."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import ToolCall, ToolReturn
from perdure.kit.clock import now
from perdure.tools.base import BuiltinTool, ToolContext, ToolFailed, tool
from perdure.tools.dispatch import Dispatcher, as_text, cut
from perdure.tools.envelope import envelope
from perdure.tools.rules import CONSTRAINT_ERROR, CalledTool, ToolRules, is_prefill_error
from perdure.tools.send_message import send_message
from perdure.tools.store import ToolRow

CTX = ToolContext(None, None, "agent-1", "agent-1", "run-1", "step-1", None, None)  # type: ignore[arg-type]


@tool("letta_core")
async def echo(ctx: ToolContext, text: str, times: int = 1) -> str:
    """Say it again.

    Args:
        text: What.
        times: How often.
    """
    return text * times


@tool("letta_core")
async def give(ctx: ToolContext, what: str) -> Any:
    """Give something.

    Args:
        what: What.
    """
    return {"none": None, "dict": {"a": "ü", 1: now}, "list": [1, "x"], "number": 1.5, "true": True}[what]


@tool("letta_core")
async def fail(ctx: ToolContext, how: str) -> None:
    """Fail.

    Args:
        how: How.
    """
    raise {"told": ToolFailed("No such thing."), "bug": KeyError("x"), "long": ValueError("y" * 5000)}.get(
        how, ValueError()
    )


ORDER: list[str] = []


@tool("letta_core", parallel=True)
async def slow(ctx: ToolContext, name: str) -> str:
    """Take a moment.

    Args:
        name: Whose.
    """
    ORDER.append(f"+{name}")
    await asyncio.sleep(0.02)
    ORDER.append(f"-{name}")
    return name


@tool("letta_core")
async def strict(ctx: ToolContext, name: str) -> str:
    """Take a moment alone.

    Args:
        name: Whose.
    """
    return await slow.run(ctx, name)


BUILTINS = (echo, give, fail, slow, strict)


def row(builtin: BuiltinTool, **values: Any) -> ToolRow:
    known = {
        "id": "tool-1",
        "organization_id": "org-1",
        "name": builtin.name,
        "kind": builtin.kind,
        "description": builtin.description,
        "source_type": "python",
        "source_code": "",
        "json_schema": builtin.schema,
        "args_json_schema": None,
        "tags": [],
        "return_char_limit": 50_000,
        "pip_requirements": None,
        "npm_requirements": None,
        "default_requires_approval": None,
        "parallel": builtin.parallel,
        "metadata": None,
        "project_id": None,
        "created_by": None,
        "updated_by": None,
        "digest": None,
        "created_at": now(),
        "updated_at": now(),
    }
    return ToolRow(**{**known, **values})


ROWS = {builtin.name: row(builtin) for builtin in BUILTINS}


async def call(builtin: BuiltinTool, arguments: Any, **values: Any) -> ToolReturn:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    wanted = ToolCall("call-1", builtin.name, text)
    return await Dispatcher(BUILTINS).call(CTX, row(builtin, **values), wanted)


@pytest.fixture(autouse=True)
def forget() -> None:
    ORDER.clear()


async def test_a_text_is_returned_as_it_is() -> None:
    assert await call(echo, {"text": "hü\n"}) == ToolReturn("call-1", "echo", "hü\n")


@pytest.mark.parametrize(
    ("what", "text"), [("none", "None"), ("list", '[1,"x"]'), ("number", "1.5"), ("true", "true")]
)
async def test_other_values_are_returned_as_json(what: str, text: str) -> None:
    assert (await call(give, {"what": what})).text == text


async def test_objects_are_json_whatever_is_in_them() -> None:
    assert json.loads((await call(give, {"what": "dict"})).text)["a"] == "ü"


async def test_what_the_loop_adds_is_not_given_to_the_tool() -> None:
    arguments = {"text": "a", "request_heartbeat": True, "thinking": "hm"}
    assert (await call(echo, arguments)).text == "a"


async def test_light_mistakes_are_forgiven() -> None:
    assert (await call(echo, {"text": "a", "times": "3"})).text == "aaa"
    assert (await call(echo, '{"text": "a"}{"text": "b"}')).text == "a"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"text": "a"', "not valid JSON: Expecting ',' delimiter: line 1 column 13 (char 12)"),
        ({}, "missing parameter 'text'"),
        ({"txt": "a"}, "unknown parameter 'txt' (parameters: text, times); missing parameter 'text'"),
        ({"text": "a", "times": "many"}, "'times' must be a whole number"),
    ],
)
async def test_bad_arguments_are_told_and_the_tool_does_not_run(arguments: Any, words: str) -> None:
    returned = await call(echo, arguments)
    assert returned.status == "error"
    assert words in returned.text
    assert returned.stderr[0].startswith("Error executing function echo: ToolFailed: ")


async def test_a_failure_is_told_to_the_model_and_its_kind_to_the_caller() -> None:
    returned = await call(fail, {"how": "told"})
    assert (returned.status, returned.text) == ("error", "No such thing.")
    assert returned.stderr == ("Error executing function fail: ToolFailed: No such thing.",)


async def test_a_bug_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        returned = await call(fail, {"how": "bug"})
    assert (returned.status, returned.text) == ("error", "'x'")
    assert "The tool fail failed." in caplog.text
    assert (await call(fail, {"how": "silent"})).text == "ValueError"
    assert len((await call(fail, {"how": "long"})).stderr[0]) == 1000


async def test_a_long_return_is_cut_once_and_tells_its_true_length() -> None:
    returned = await call(echo, {"text": "0123456789", "times": 500}, return_char_limit=50)
    assert returned.text == "0123456789" * 5 + "… [the first 50 of 5000 characters]"


@given(st.text(max_size=30), st.integers(1, 20))
def test_a_short_return_is_not_cut(text: str, limit: int) -> None:
    assert (cut(text, limit) == text) == (len(text) <= limit)
    assert cut(text, limit).startswith(text[:limit])


@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists))
def test_any_value_becomes_a_text(value: Any) -> None:
    assert isinstance(as_text(value), str)


async def test_a_tool_this_server_cannot_run_says_so() -> None:
    custom = await call(echo, {"text": "a"}, kind="custom")
    assert custom.text == "echo is a tool of type custom, which this server cannot run."
    assert (await Dispatcher(()).call(CTX, ROWS["echo"], ToolCall("1", "echo", ""))).status == "error"


async def test_safe_tools_run_together_the_rest_one_by_one_and_returns_keep_their_order() -> None:
    calls = [
        ToolCall("1", "strict", '{"name": "a"}'),
        ToolCall("2", "slow", '{"name": "b"}'),
        ToolCall("3", "strict", '{"name": "c"}'),
        ToolCall("4", "slow", '{"name": "d"}'),
    ]
    returns = await Dispatcher(BUILTINS).call_all(CTX, calls, ROWS)
    assert [(one.call_id, one.text) for one in returns] == [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")]
    assert ORDER == ["+b", "+d", "-b", "-d", "+a", "-a", "+c", "-c"]


async def test_an_unknown_tool_is_refused_with_those_there_are() -> None:
    (returned,) = await Dispatcher(BUILTINS).call_all(CTX, [ToolCall("1", "ech", "{}")], ROWS)
    assert returned.status == "error"
    assert returned.text.startswith(CONSTRAINT_ERROR)
    assert "echo, give, fail, slow, strict" in returned.text


async def test_rules_see_the_calls_before_in_the_same_step() -> None:
    rules = ToolRules.of([{"type": "max_count_per_step", "tool_name": "slow", "max_count_limit": 2}])
    calls = [ToolCall(str(i), "slow", '{"name": "a"}') for i in range(3)]
    returns = await Dispatcher(BUILTINS).call_all(CTX, calls, ROWS, rules, [CalledTool("slow", "a")])
    assert [one.status for one in returns] == ["success", "error", "error"]
    assert ORDER == ["+a", "-a"]


async def test_prescribed_arguments_override_the_models() -> None:
    rules = ToolRules.of([{"type": "run_first", "tool_name": "echo", "args": {"times": 2}}])
    calls = [ToolCall("1", "echo", '{"text": "a", "times": 9}')]
    (returned,) = await Dispatcher(BUILTINS).call_all(CTX, calls, ROWS, rules)
    assert returned.text == "aa"


async def test_impossible_prescribed_arguments_are_marked() -> None:
    rules = ToolRules.of([{"type": "run_first", "tool_name": "echo", "args": {"speed": 2}}])
    calls = [ToolCall("1", "echo", '{"text": "a"}')]
    (returned,) = await Dispatcher(BUILTINS).call_all(CTX, calls, ROWS, rules)
    assert is_prefill_error(returned.text, returned.status)
    assert "run_first rule of echo: unknown parameter 'speed'" in returned.text


async def test_cancelling_a_turn_cancels_its_tools() -> None:
    calls = [ToolCall("1", "slow", '{"name": "a"}'), ToolCall("2", "slow", '{"name": "b"}')]
    task = asyncio.create_task(Dispatcher(BUILTINS).call_all(CTX, calls, ROWS))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ORDER == ["+a", "+b"]


async def test_send_message_confirms() -> None:
    returned = await Dispatcher((send_message,)).call(
        CTX, row(send_message), ToolCall("1", "send_message", '{"message": "hi"}')
    )
    assert (returned.status, returned.text) == ("success", "The message was delivered.")


def test_the_envelope_tells_status_and_local_time() -> None:
    at = datetime(2026, 11, 23, 15, 18, 35, tzinfo=UTC)
    assert json.loads(envelope("hü", "success", at, "UTC")) == {
        "status": "OK",
        "message": "hü",
        "time": "2026-11-23 03:18:35 PM UTC+0000",
    }
    failed = json.loads(envelope("", "error", at, "America/New_York"))
    assert (failed["status"], failed["time"]) == ("Failed", "2026-11-23 10:18:35 AM EST-0500")
    assert json.loads(envelope("", "error", at, "Nowhere/Land"))["time"].endswith("UTC+0000")
