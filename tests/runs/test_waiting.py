"""Runs that wait for one another: whoever closes a circle is found."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from perdure.runs.waiting import OpenRun, closes_circle

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(
    id: str, thread: str, at: int = 0, *, in_line: bool = False, awaited_by: str | None = None
) -> OpenRun:
    return OpenRun(id, thread, START + timedelta(seconds=at), in_line, awaited_by)


def test_who_asks_somebody_free_waits_for_nobody_who_waits():
    assert not closes_circle([run("a", "A"), run("b", "B", awaited_by="a")], "a")


def test_who_asks_somebody_who_waits_for_it_would_wait_for_ever():
    found = [run("a", "A"), run("b", "B", awaited_by="a"), run("c", "A", 1, in_line=True, awaited_by="b")]
    assert closes_circle(found, "b")


def test_two_that_stand_in_line_for_each_other_would_wait_for_ever():
    found = [
        run("a", "A"),
        run("b", "B"),
        run("to b", "B", 1, in_line=True, awaited_by="a"),
        run("to a", "A", 2, in_line=True, awaited_by="b"),
    ]
    assert closes_circle(found, "a")
    assert closes_circle(found, "b")


def test_a_line_is_waited_for_but_not_those_behind():
    found = [
        run("a", "A"),
        run("busy", "B"),
        run("to b", "B", 1, in_line=True, awaited_by="a"),
        run("behind", "B", 2, in_line=True),
        run("of behind", "A", 3, in_line=True, awaited_by="behind"),
    ]
    assert not closes_circle(found, "a")


@given(st.data())
def test_whatever_waits_for_whatever_an_answer_is_found(data):
    """As in a simulation: who waits for nothing that is open ends, until nobody can."""
    count = data.draw(st.integers(1, 7))
    found: list[OpenRun] = []
    for number in range(count):
        asker = data.draw(st.sampled_from([None, *(each.id for each in found)]))
        thread = data.draw(st.sampled_from("ABC"))
        in_line = any(each.thread_id == thread for each in found)
        found.append(run(str(number), thread, number, in_line=in_line, awaited_by=asker))
    stuck = list(found)
    while True:
        free = [
            each
            for each in stuck
            if not any(other.awaited_by == each.id for other in stuck)
            and not any(o.thread_id == each.thread_id and o.created_at < each.created_at for o in stuck)
        ]
        if not free:
            break
        stuck = [each for each in stuck if each not in free]
    assert bool(stuck) == any(closes_circle(found, each.id) for each in found)
