"""A repaired context is whole as it is stored, and repairing it again changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Approval, Part, Role, Text, ToolCall, ToolReturn, calls_of, returns_of
from perdure.kit.ids import new_id
from perdure.loop.repair import Repair, repair
from perdure.loop.request import UNKNOWN_OUTCOME, as_told
from perdure.messages.pending import pending_in
from perdure.messages.store import MessageRow
from perdure.testing.oracle import refusal

NOW = datetime(2026, 11, 23, tzinfo=UTC)
IDS = st.sampled_from(["a", "b", "c", "d"])


def row(role: Role, *parts: Part, step: str | None = None) -> MessageRow:
    return MessageRow(new_id("message"), "org", "agent", "thread", role, parts, NOW, step_id=step)


def call(id: str) -> ToolCall:
    return ToolCall(id, "tool", "{}")


def returned(id: str, text: str = "done") -> ToolReturn:
    return ToolReturn(id, "tool", text)


steps = st.sampled_from([None, "step-1", "step-2"])
calls = st.lists(IDS.map(call), min_size=1, max_size=3)  # a message without parts is never stored
rows = st.one_of(
    st.just("hello").map(lambda text: row("user", Text(text))),
    st.builds(lambda step: row("assistant", Text("so"), step=step), steps),
    st.builds(lambda made, step: row("assistant", *made, step=step), calls, steps),
    st.builds(lambda made, step: row("approval", *made, step=step), calls, steps),
    st.lists(IDS.map(lambda name: Approval(name, False)), min_size=1, max_size=2).map(
        lambda w: row("approval", *w)
    ),
    st.lists(IDS.map(returned), min_size=1, max_size=3).map(lambda parts: row("tool", *parts)),
    st.just("summary").map(lambda text: row("summary", Text(text))),
)
histories = st.lists(rows, max_size=12)


def stored(repaired: Repair) -> list[MessageRow]:
    """The context as it is when it is stored."""
    return [
        said if isinstance(said, MessageRow) else row(said.role, *said.parts, step=said.step_id)
        for said in repaired.context
    ]


def settled(history: Sequence[MessageRow]) -> list[MessageRow]:
    """A history without the end of it that waits."""
    waiting = pending_in(history)
    if waiting is None:
        return list(history)
    return list(history[: history.index(waiting.request) - bool(waiting.free)])


def fault(history: Sequence[MessageRow]) -> str | None:
    told = as_told(history, timezone="UTC", return_limit=1000)
    return refusal([message for message in told if message.parts])


@given(histories)
def test_any_context_becomes_one_that_a_provider_accepts_as_it_is(history: list[MessageRow]) -> None:
    assert fault(settled(stored(repair(history)))) is None


@given(histories)
def test_a_repaired_context_is_left_alone(history: list[MessageRow]) -> None:
    once = stored(repair(history))
    again = repair(once)
    assert list(again.context) == once
    assert (again.answered, again.moved, again.removed, again.renamed) == ((), (), (), ())


@given(histories)
def test_what_waits_still_waits(history: list[MessageRow]) -> None:
    before, after = pending_in(history), pending_in(stored(repair(history)))
    assert before == after


@given(histories)
def test_nothing_that_was_said_leaves_the_context(history: list[MessageRow]) -> None:
    def said(rows: Sequence[MessageRow]) -> list[tuple[str, int, int]]:
        return [
            (row.role, len(calls_of(row.parts)), len(row.parts))
            for row in rows
            if row.role != "tool" and row.parts
        ]

    assert said(stored(repair(history))) == said(history)


@given(histories)
def test_what_tools_really_returned_is_told_where_it_can_be(history: list[MessageRow]) -> None:
    repaired = repair(history)
    kept = [p for row in stored(repaired) for p in returns_of(row.parts) if row.role == "tool"]
    total = sum(len(returns_of(row.parts)) for row in history if row.role == "tool")
    assert len(kept) == total - len(repaired.removed) + len(repaired.answered)


def test_a_whole_context_is_not_touched() -> None:
    history = [
        row("system", Text("Be kind.")),
        row("user", Text("hi")),
        row("assistant", Text("so"), call("a"), call("b"), step="step-1"),
        row("tool", returned("b"), returned("a")),
        row("assistant", call("c"), step="step-2"),
        row("approval", call("d"), step="step-2"),
        row("approval", Approval("d", True)),
        row("tool", returned("c"), returned("d")),
        row("assistant", Text("done")),
    ]
    repaired = repair(history)
    assert list(repaired.context) == history
    assert (repaired.answered, repaired.moved, repaired.removed, repaired.renamed) == ((), (), (), ())


def test_a_missing_return_comes_right_behind_its_call() -> None:
    history = [row("assistant", call("a"), call("b")), row("user", Text("well?")), row("tool", returned("b"))]
    repaired = repair(history)
    assert (repaired.answered, repaired.moved) == (("a",), ("b",))
    asked, answer, question = repaired.context
    assert (asked, question) == (history[0], history[1])
    assert [(p.call_id, p.text) for p in returns_of(answer.parts)] == [("a", UNKNOWN_OUTCOME), ("b", "done")]


def test_a_return_that_came_late_comes_to_its_call_as_it_is() -> None:
    history = [
        row("approval", call("a")),
        row("approval", Approval("a", True)),
        row("user", Text("and now?")),
        row("tool", returned("a")),
    ]
    repaired = repair(history)
    assert list(repaired.context) == [history[0], history[1], history[3], history[2]]
    assert repaired.moved == ("a",)


def test_returns_without_calls_and_second_ones_leave_the_context() -> None:
    history = [
        row("tool", returned("x")),
        row("assistant", call("a")),
        row("tool", returned("a")),
        row("tool", returned("a", "again")),
    ]
    repaired = repair(history)
    assert list(repaired.context) == history[1:3]
    assert repaired.removed == ("x", "a")


def test_a_denied_call_that_has_no_return_is_told_as_denied() -> None:
    history = [
        row("approval", call("a")),
        row("approval", Approval("a", False, "never")),
        row("user", Text("x")),
    ]
    repaired = repair(history)
    (told,) = returns_of(repaired.context[2].parts)
    assert "never" in told.text


def test_a_second_call_of_the_same_id_gets_one_of_its_own() -> None:
    history = [
        row("assistant", call("a")),
        row("tool", returned("a", "first")),
        row("assistant", call("a")),
        row("tool", returned("a", "second")),
    ]
    repaired = repair(history)
    assert repaired.renamed == ("a",)
    assert list(repaired.context[:2]) == history[:2]
    (asked,), (told,) = calls_of(repaired.context[2].parts), returns_of(repaired.context[3].parts)
    assert asked.id == told.call_id != "a"
    assert told.text == "second"


def test_a_message_that_is_twice_in_context_is_told_once() -> None:
    said = row("user", Text("hi"))
    assert list(repair([said, said]).context) == [said]
