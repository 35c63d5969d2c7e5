"""Whatever history is stored, the model is told one that a provider accepts."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Approval, Message, Part, Text, ToolCall, ToolReturn, returns_of
from perdure.loop.request import UNKNOWN_OUTCOME, clipped, conversation, paired, strays_in, unanswered
from perdure.messages.pending import pending_in
from perdure.messages.store import MessageRow
from perdure.testing.oracle import refusal

NOW = datetime(2026, 11, 23, tzinfo=UTC)
call_ids = st.sampled_from([f"call-{i}" for i in range(6)])
messages = st.one_of(
    st.just(Message("user", (Text("hello"),))),
    st.lists(call_ids, max_size=3, unique=True).map(
        lambda ids: Message("assistant", (Text("so"), *(ToolCall(id, "tool", "{}") for id in ids)))
    ),
    st.lists(call_ids, min_size=1, max_size=3).map(
        lambda ids: Message("tool", tuple(ToolReturn(id, "tool", "done") for id in ids))
    ),
)


@given(st.lists(messages, max_size=12))
def test_any_history_is_told_as_one_that_a_provider_accepts(history: list[Message]) -> None:
    assert refusal(paired(history)) is None


@given(st.lists(messages, max_size=12))
def test_a_history_that_is_whole_is_told_unchanged(history: list[Message]) -> None:
    whole = paired(history)
    assert paired(whole) == whole


@given(st.lists(messages, max_size=12))
def test_nothing_said_is_left_out(history: list[Message]) -> None:
    def words(told: list[Message]) -> int:
        return sum(isinstance(part, Text) for message in told for part in message.parts)

    assert words(paired(history)) == words(history)


def row(role: str, *parts: Part) -> MessageRow:
    return MessageRow("message-1", "org", "agent", "thread", role, parts, NOW)  # type: ignore[arg-type]


def test_a_call_cut_off_by_a_crash_is_answered_for_the_model() -> None:
    lost = unanswered([row("user", Text("hi")), row("assistant", ToolCall("c", "t", "{}"))])
    assert [(r.call_id, r.status, r.text) for r in lost] == [("c", "error", UNKNOWN_OUTCOME)]


def test_a_call_that_nobody_approved_says_so() -> None:
    (lost,) = unanswered([row("approval", ToolCall("c", "t", "{}"))])
    assert "not approved" in lost.text


def test_tool_returns_are_wrapped_with_status_and_time_in_the_agents_zone() -> None:
    rows = [row("assistant", ToolCall("c", "t", "{}")), row("tool", ToolReturn("c", "t", "done"))]
    told = conversation(rows, timezone="Europe/Berlin", return_limit=100)
    (returned,) = returns_of(told[-1].parts)
    assert '"status": "OK"' in returned.text
    assert '"message": "done"' in returned.text
    assert "CET+0100" in returned.text


def test_a_long_return_is_clipped_and_says_by_how_much() -> None:
    assert clipped("x" * 10, 10) == "x" * 10
    assert clipped("x" * 15, 10) == "x" * 10 + "… [5 of 15 characters left out]"


def test_a_reply_stored_before_a_crash_counts_and_nothing_waits_any_more() -> None:
    calls = [ToolCall(id, "t", "{}") for id in ("yes", "no", "ran", "free")]
    rows = [
        row("assistant", calls[3]),
        row("approval", *calls[:3]),
        row(
            "approval", Approval("yes", True), Approval("no", False, "never"), ToolReturn("ran", "", "creak")
        ),
    ]
    assert pending_in(rows) is None
    lost = {returned.call_id: returned for returned in unanswered(rows)}
    assert (lost["ran"].text, lost["ran"].status, lost["ran"].name) == ("creak", "success", "t")
    assert "never" in lost["no"].text
    assert lost["yes"].text == lost["free"].text == UNKNOWN_OUTCOME


def test_a_request_at_the_end_waits_with_the_free_calls_of_its_step() -> None:
    free, asked = ToolCall("a", "t", "{}"), ToolCall("b", "u", "{}")
    waiting = pending_in([row("user", Text("hi")), row("assistant", free), row("approval", asked)])
    assert waiting is not None
    assert (waiting.free, waiting.asked) == ((free,), (asked,))
    assert pending_in([row("approval", asked), row("tool", ToolReturn("b", "u", "done"))]) is None
    assert pending_in([]) is None


def test_returns_that_answer_nothing_are_counted() -> None:
    called, returned = ToolCall("a", "t", "{}"), ToolReturn("a", "t", "done")
    whole = [
        row("approval", called),
        row("approval", returned),
        row("user", Text("x")),
        row("tool", returned),
    ]
    assert strays_in(whole) == 0
    assert strays_in([*whole, row("tool", returned)]) == 1
    assert strays_in(whole[::-1]) == 1
    assert strays_in([*whole, *whole]) == 0
