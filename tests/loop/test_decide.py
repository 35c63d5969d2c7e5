"""What follows an answer."""

from typing import Any

import pytest

from perdure.content.parts import Part, Text, ToolCall, ToolReturn
from perdure.loop.answer import Answer
from perdure.loop.decide import (
    MAX_MALFORMED,
    MAX_NUDGES,
    AskApproval,
    Continue,
    Finish,
    Nudge,
    Progress,
    RunTools,
    after_tools,
    decide,
    progressed,
)
from perdure.providers.base import Usage
from perdure.tools.rules import CalledTool, ToolRules

CALL = ToolCall("c1", "search", '{"q": "x"}')
OTHER = ToolCall("c2", "send", "{}")
DONE = ToolReturn("c1", "search", "found")


def answer(*parts: Part, finish: Any = "stop") -> Answer:
    return Answer(parts, finish, Usage())


def rules(*wire: dict[str, Any]) -> ToolRules:
    return ToolRules.of(wire)


NONE = rules()


def test_text_ends_the_turn() -> None:
    assert decide(answer(Text("hi")), NONE, Progress(), must_call=False) == Finish("end_turn")


def test_nothing_ends_the_turn() -> None:
    assert decide(answer(), NONE, Progress(), must_call=False) == Finish("end_turn")


def test_an_answer_the_provider_cut_off_says_so() -> None:
    cut = answer(Text("and then"), finish="length")
    assert decide(cut, NONE, Progress(), must_call=False) == Finish("max_tokens_exceeded")


def test_calls_are_run_in_order() -> None:
    assert decide(answer(CALL, OTHER), NONE, Progress(), must_call=False) == RunTools((CALL, OTHER))


def test_older_agents_must_call_a_tool() -> None:
    assert decide(answer(Text("hi")), NONE, Progress(), must_call=True) == Finish("no_tool_call")


def test_calls_that_need_approval_hold_back_the_free_ones() -> None:
    guarded = rules({"type": "requires_approval", "tool_name": "send"})
    asked = decide(answer(CALL, OTHER), guarded, Progress(), must_call=False)
    assert asked == AskApproval((CALL,), (OTHER,))


def test_a_required_tool_is_asked_for_and_not_for_ever() -> None:
    required = rules({"type": "required_before_exit", "tool_name": "search"})
    assert decide(answer(Text("bye")), required, Progress(), must_call=False) == Nudge(("search",))
    called = Progress(history=(CalledTool("search", "found", "success"),))
    assert decide(answer(Text("bye")), required, called, must_call=False) == Finish("end_turn")
    stubborn = Progress(nudges=MAX_NUDGES)
    assert decide(answer(Text("bye")), required, stubborn, must_call=False) == Finish("end_turn")


def test_tools_are_followed_by_another_step() -> None:
    assert after_tools([DONE], [CALL], NONE, Progress(), must_call=False) == Continue()


def test_a_terminal_tool_ends_the_turn() -> None:
    terminal = rules({"type": "exit_loop", "tool_name": "search"})
    assert after_tools([DONE], [CALL], terminal, Progress(), must_call=False) == Finish("tool_rule")


def test_a_terminal_tool_that_failed_ends_nothing() -> None:
    terminal = rules({"type": "exit_loop", "tool_name": "search"})
    failed = ToolReturn("c1", "search", "no such word", "error")
    assert after_tools([failed], [CALL], terminal, Progress(), must_call=False) == Continue()


def test_a_model_that_keeps_sending_broken_arguments_is_stopped() -> None:
    broken, progress = ToolCall("c", "search", '{"q": '), Progress()
    failed = ToolReturn("c", "search", "bad", "error")
    for _ in range(MAX_MALFORMED - 1):
        progress = progressed(progress, [broken], [failed])
        assert after_tools([failed], [broken], NONE, progress, must_call=False) == Continue()
    progress = progressed(progress, [broken], [failed])
    assert after_tools([failed], [broken], NONE, progress, must_call=False) == Finish("invalid_tool_call")


def test_a_good_call_forgives_broken_ones() -> None:
    assert progressed(Progress(malformed=2), [CALL], [DONE]).malformed == 0


@pytest.mark.parametrize(
    ("arguments", "status", "after"),
    [
        ('{"request_heartbeat": true}', "success", Continue()),
        ('{"request_heartbeat": false}', "success", Finish("end_turn")),
        ("{}", "success", Finish("end_turn")),
        ("{}", "error", Continue()),
    ],
)
def test_older_agents_go_on_when_they_ask_or_a_tool_failed(arguments: str, status: Any, after: Any) -> None:
    call = ToolCall("c", "search", arguments)
    returned = ToolReturn("c", "search", "x", status)
    assert after_tools([returned], [call], NONE, Progress(), must_call=True) == after


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", "max_tokens_exceeded"),
        ("content_filter", "llm_api_error"),
        ("error", "invalid_llm_response"),
    ],
)
def test_an_answer_that_did_not_end_by_itself_says_why(finish: str, reason: str) -> None:
    assert decide(answer(Text("and"), finish=finish), NONE, Progress(), must_call=False) == Finish(reason)
