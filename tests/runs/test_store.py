"""Runs, steps and traces in the database."""

from datetime import timedelta
from typing import Any

import pytest
from tests.runs.rows import MINE, run_of, step_of, steps_of

from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page
from perdure.runs import leases, store
from perdure.runs.leases import Hold, RunEnd
from perdure.runs.lists import RunFilter, StepFilter, list_runs, list_steps
from perdure.runs.store import (
    RunNotFound,
    StepNotFound,
    Tokens,
)
from perdure.tenancy.actor import Actor


async def test_runs_are_chosen_by_what_they_are(db, actor, agent_id):
    done = run_of(actor, agent_id, background=True, conversation_id="conv-1")
    await db.write(leases.claim, done, MINE)
    await db.write(leases.finish, Hold(done.id, MINE), RunEnd("tool_rule"))
    going = run_of(actor, agent_id)
    await db.write(leases.claim, going, MINE)

    async def ids(**want: Any) -> list[str]:
        return [row.id for row in await db.read(list_runs, actor, Page(), RunFilter(**want))]

    assert await ids() == [going.id, done.id]
    assert await ids(agent_ids=[agent_id]) == [going.id, done.id]
    assert await ids(agent_ids=["agent-2"]) == []
    assert await ids(statuses=["running"]) == [going.id]
    assert await ids(background=True) == [done.id]
    assert await ids(stop_reason="tool_rule") == [done.id]
    assert await ids(conversation_id="conv-1") == [done.id]


async def test_steps_are_chosen_by_what_they_are(db, actor, agent_id, run):
    (first,) = await steps_of(db, actor, run)
    second = step_of(run, model="other", created_at=now() + timedelta(seconds=5))
    await db.write(store.insert_step, second)
    await db.write(store.give_feedback, actor, second.id, {"feedback": "negative", "tags": ["slow"]})

    async def ids(**want: Any) -> list[str]:
        return [row.id for row in await db.read(list_steps, actor, Page(order="asc"), StepFilter(**want))]

    assert await ids() == [first.id, second.id]
    assert await ids(agent_id=agent_id, run_id=run.id, model="other") == [second.id]
    assert await ids(feedback="positive") == []
    assert await ids(has_feedback=True) == [second.id]
    assert await ids(has_feedback=False) == [first.id]
    assert await ids(start=second.created_at) == [second.id]
    assert await ids(end=second.created_at) == [first.id]


async def test_feedback_is_taken_back_and_only_what_is_named_changes(db, actor, run):
    (step,) = await steps_of(db, actor, run)
    await db.write(store.give_feedback, actor, step.id, {"feedback": "positive", "tags": ["a"]})
    kept = await db.write(store.give_feedback, actor, step.id, {})
    assert (kept.feedback, kept.tags) == ("positive", ["a"])
    assert (await db.write(store.give_feedback, actor, step.id, {"feedback": None})).feedback is None


async def test_a_trace_is_kept_for_its_step_and_dies_with_the_run(db, actor, run):
    (step,) = await steps_of(db, actor, run)
    assert await db.read(store.trace_of, actor, step.id) is None
    kept = {"url": "http://x", "status": 200, "request": b"1", "response": b"2"}
    await db.write(store.save_traces, [store.TraceRow(actor.organization_id, step.id, **kept)])
    row = await db.read(store.trace_of, actor, step.id)
    assert (row.url, row.request, row.response) == ("http://x", b"1", b"2")
    await db.write(store.delete_run, actor, run.id)
    assert await db.read(store.trace_of, actor, step.id) is None
    with pytest.raises(StepNotFound):
        await db.read(store.get_step, actor, step.id)


async def test_another_organization_sees_nothing(db, actor, run):
    stranger = Actor("org-2")
    (step,) = await steps_of(db, actor, run)
    for work in (store.get, store.delete_run):
        with pytest.raises(RunNotFound):
            await db.write(work, stranger, run.id)
    with pytest.raises(NotFound):
        await db.read(store.get_step, stranger, step.id)
    assert await db.read(list_runs, stranger, Page(), RunFilter()) == []


def test_tokens_add_up_and_the_unknown_stays_unknown():
    total = Tokens(1, 2, cached=3) + Tokens(10, 20, reasoning=4)
    assert total == Tokens(11, 22, cached=3, reasoning=4)
    assert (total.total, total.cache_write) == (33, None)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("end_turn", "completed"),
        ("requires_approval", "completed"),
        ("cancelled", "cancelled"),
        ("error", "failed"),
    ],
)
def test_the_stop_reason_decides_the_status(reason, status):
    assert store.status_of(reason) == status
