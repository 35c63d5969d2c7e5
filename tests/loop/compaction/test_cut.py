"""Where a history is cut: never between a call and its return, and far enough to last."""

from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Approval, Part, Text, ToolCall, ToolReturn, calls_of, returns_of
from perdure.loop.compaction.cut import cuts, kept_from, plan_cut
from perdure.loop.measure import goal_of, limit_of
from perdure.loop.request import conversation
from perdure.messages.pending import pending_in
from perdure.messages.store import MessageRow
from perdure.testing.oracle import refusal

NOW = datetime(2026, 11, 23, tzinfo=UTC)
numbers = count()


def row(role: str, *parts: Part, step: str | None = None) -> MessageRow:
    number = next(numbers)
    at = NOW + timedelta(seconds=number)
    return MessageRow(f"message-{number}", "org", "agent", "thread", role, parts, at, step_id=step)  # type: ignore[arg-type]


def said(role: str = "user") -> list[MessageRow]:
    return [row(role, Text("words"))]


def called(ids: list[str]) -> list[MessageRow]:
    """An answer with parallel calls, and their returns in one message."""
    step = f"step-{next(numbers)}"
    return [
        row("assistant", Text("so"), *(ToolCall(id, "t", "{}") for id in ids), step=step),
        row("tool", *(ToolReturn(id, "t", "done") for id in ids), step=step),
    ]


def asked(
    free: list[str], ids: list[str], *, answered: bool = True, between: bool = False
) -> list[MessageRow]:
    """A request for approval with its free calls, perhaps its answer, words in between, and the returns."""
    step = f"step-{next(numbers)}"
    rows = [
        row("assistant", Text("may I"), *(ToolCall(id, "t", "{}") for id in free), step=step),
        row("approval", *(ToolCall(id, "u", "{}") for id in ids), step=step),
    ]
    if answered:
        rows.append(row("approval", *(Approval(id, True) for id in ids)))
        rows += said() if between else []
        rows.append(row("tool", *(ToolReturn(id, "t", "done") for id in (*free, *ids))))
    return rows


unique = st.builds(lambda n: [f"c{next(numbers)}" for _ in range(n)], st.integers(1, 3))
shared = st.lists(st.sampled_from(["0", "1", "2"]), min_size=1, max_size=3, unique=True)  # some servers' ids
ids = st.one_of(unique, shared)
pieces = st.one_of(
    st.builds(said, st.sampled_from(["user", "assistant", "system"])),
    st.builds(called, ids),
    st.builds(lambda a, b, c: asked(a, [f"{id}!" for id in b], between=c), ids, ids, st.booleans()),
)
endings = st.one_of(
    st.just([]), st.builds(lambda a, b: asked(a, [f"{id}!" for id in b], answered=False), unique, unique)
)
histories = st.builds(
    lambda summary, made, end: [*summary, *(r for piece in made for r in piece), *end],
    st.sampled_from([[], [row("summary", Text("before"))]]),
    st.lists(pieces, max_size=12),
    endings,
)
scraps = st.lists(  # what crashes and old bugs leave
    st.one_of(
        st.builds(said),
        st.builds(lambda ids: called(ids)[:1], ids),
        st.builds(lambda ids: called(ids)[1:], ids),
        st.builds(lambda ids: asked([], ids)[1:3], ids),
    ).map(lambda rows: rows[0]),
    max_size=12,
)
sizes = st.lists(st.integers(1, 200), min_size=60, max_size=60)


def told_to(rows: list[MessageRow]) -> str | None:
    """What a vendor objects to; calls that wait for approval have no return yet."""
    waiting = pending_in(rows)
    closed = [row("tool", *(ToolReturn(c.id, c.name, "") for c in waiting.calls))] if waiting else []
    return refusal(conversation([*rows, *closed], timezone="UTC", return_limit=100))


def pairs(rows: list[MessageRow]) -> int:
    """Calls and returns that find each other in what the model is told."""
    told = conversation(rows, timezone="UTC", return_limit=100)
    return sum("interrupted" not in part.text for message in told for part in returns_of(message.parts))


@given(histories)
def test_no_cut_parts_a_call_from_its_return(rows: list[MessageRow]) -> None:
    whole = pairs(rows)
    for index in cuts(rows):
        assert pairs(rows[:index]) + pairs(rows[index:]) == whole
        assert told_to(rows[index:]) is None


@given(st.one_of(histories, scraps))
def test_whatever_stays_is_a_history_that_vendors_take(rows: list[MessageRow]) -> None:
    for index in cuts(rows):
        kept = [row("summary", Text("short")), *rows[index:]]
        assert told_to(kept) is None
        assert told_to(rows[:index]) is None


@given(histories)
def test_calls_that_wait_for_a_person_stay_with_their_answer(rows: list[MessageRow]) -> None:
    before = pending_in(rows)
    for index in cuts(rows):
        after = pending_in(rows[index:])
        assert (before is None) == (after is None)
        if before and after:
            assert (after.asked, after.free) == (before.asked, before.free)


@given(histories, sizes, st.integers(0, 3000), st.booleans())
def test_what_is_planned_fits_or_is_all_that_can_be_done(
    rows: list[MessageRow], tokens: list[int], goal: int, whole: bool
) -> None:
    tokens = (tokens * 3)[: len(rows)]
    keep = kept_from(rows)
    plan = plan_cut(rows, tokens, goal, keep=keep, whole=whole)
    if plan is None:
        assert all(index > keep or all(r.role == "summary" for r in rows[:index]) for index in cuts(rows))
        return
    index = len(plan.evicted)
    assert (*plan.evicted, *plan.kept) == tuple(rows)
    assert index in cuts(rows)
    assert index <= keep
    assert any(r.role != "summary" for r in plan.evicted)
    assert plan.kept_tokens == sum(tokens[index:])
    last = max(i for i in cuts(rows) if i <= keep)
    fits = plan.kept_tokens + plan.summary_tokens <= max(goal, plan.kept_tokens + 60)
    assert fits or index == last
    if whole:
        assert index == last


@given(histories)
def test_what_nobody_has_answered_stays(rows: list[MessageRow]) -> None:
    rows = [*rows, *said()]
    if pending_in(rows):
        return
    assert kept_from(rows) < len(rows)
    assert kept_from(rows, hard=True) == kept_from(rows)


def test_between_two_steps_the_last_answer_stays_with_its_returns_unless_it_is_hard() -> None:
    rows = [*said(), *called(["a"]), *called(["b", "c"])]
    assert kept_from(rows) == 3
    assert kept_from(rows, hard=True) == 5


def test_after_the_summary_comes_an_answer() -> None:
    rows = [r for _ in range(10) for r in (*said(), *said("assistant"))]
    plan = plan_cut(rows, [10] * 20, 1000, keep=20)
    assert plan is not None
    assert len(plan.evicted) == 9  # two fifths at least
    assert plan.kept[0].role == "assistant"
    plan = plan_cut(rows, [10] * 20, 60, keep=20)
    assert plan is not None
    assert len(plan.kept) == 3


@given(
    window=st.integers(100, 1_000_000),
    fixed_share=st.floats(0, 0.99),
    answer=st.one_of(st.none(), st.integers(1, 1_000_000)),
    evicted_share=st.floats(0.001, 0.999),
)
def test_after_a_compaction_there_is_room_before_the_next(
    window: int, fixed_share: float, answer: int | None, evicted_share: float
) -> None:
    fixed = int(window * fixed_share)
    limit = limit_of(window, fixed, answer)
    goal = goal_of(window, limit, fixed, evicted_share)
    assert fixed < limit <= window
    assert fixed + goal < limit
    free = limit - fixed - goal
    assert free >= min(0.19 * limit, 0.65 * (limit - fixed)) - 2


@given(st.lists(st.integers(5, 120), min_size=60, max_size=150), st.integers(800, 4000), st.integers(0, 300))
def test_compactions_are_rare_however_a_chat_goes(lengths: list[int], window: int, fixed: int) -> None:
    """Every message at the limit; a compaction is followed by many messages without one."""
    limit = limit_of(window, fixed, None)
    goal = goal_of(window, limit, fixed, 0.3)
    rows: list[MessageRow] = []
    tokens: list[int] = []
    compacted: list[int] = []
    for number, length in enumerate(lengths):
        rows += [*said("user" if number % 2 == 0 else "assistant")]
        tokens.append(length)
        if fixed + sum(tokens) > limit and rows[-1].role == "user":
            plan = plan_cut(rows, tokens, goal, keep=kept_from(rows))
            assert plan is not None
            rows = [row("summary", Text("")), *plan.kept]
            tokens = [plan.summary_tokens, *tokens[len(plan.evicted) :]]
            assert fixed + sum(tokens) <= max(fixed + goal, fixed + sum(tokens[-1:]) + plan.summary_tokens)
            assert fixed + sum(tokens) < limit
            compacted.append(number)
    room = limit - fixed - goal
    for earlier, later in pairwise(compacted):
        assert later - earlier >= min(2, room // 120)


def test_calls_are_counted_once() -> None:
    rows = [*called(["0"]), *called(["0"])]  # some servers number the calls of every answer anew
    assert cuts(rows) == [2, 4]
    assert [len(calls_of(r.parts)) for r in rows] == [1, 0, 1, 0]
