"""Runs in the database: one at a time in a thread, held by a lease, ended once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.memory.mind import new_agent

from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page
from perdure.runs import store
from perdure.runs.lists import RunFilter, StepFilter, list_runs, list_steps
from perdure.runs.store import (
    Lease,
    LeaseLost,
    RunNotFound,
    RunRow,
    StepNotFound,
    StepRow,
    ThreadBusy,
    Tokens,
)
from perdure.runs.tables import runs
from perdure.tenancy.actor import Actor

MINE, OTHER, DEAD = Lease("me:1", 30), Lease("you:1", 30), Lease("me:0", -1)


def run_of(actor: Actor, agent_id: str, **values: Any) -> RunRow:
    fixed = {"status": "running", "background": False, "created_at": now(), "metadata": {"run_type": "x"}}
    return RunRow(new_id("run"), actor.organization_id, agent_id, agent_id, **{**fixed, **values})


def step_of(run: RunRow, **values: Any) -> StepRow:
    fixed: dict[str, Any] = {
        "provider_name": "scripted",
        "provider_category": "base",
        "model": "m",
        "model_handle": "scripted/m",
        "context_window_limit": 1000,
        "status": "pending",
        "created_at": now(),
    }
    return StepRow(new_id("step"), run.organization_id, run.id, run.agent_id, **{**fixed, **values})


@pytest.fixture
def db(shared_database):
    return shared_database


@pytest.fixture
async def run(db, actor, agent_id) -> RunRow:
    """A run at work under my lease, with a step."""
    made = run_of(actor, agent_id)
    await db.write(store.claim, made, MINE)
    await db.write(store.insert_step, step_of(made))
    return made


async def stored(db, actor, run) -> RunRow:
    return await db.read(store.get, actor, run.id)


async def steps_of(db, actor, run) -> list[StepRow]:
    return await db.read(list_steps, actor, Page(order="asc"), StepFilter(run_id=run.id))


async def test_a_thread_has_one_run_at_a_time(db, actor, agent_id, run):
    with pytest.raises(ThreadBusy) as busy:
        await db.write(store.claim, run_of(actor, agent_id), OTHER)
    assert busy.value.extra == {"run_id": run.id}
    await db.write(store.finish, run.id, MINE, stop_reason="end_turn", usage={"prompt": 1})
    await db.write(store.claim, run_of(actor, agent_id), OTHER)


async def test_of_claims_at_once_one_wins_and_the_rest_are_told(db, actor, agent_id):
    claims = [db.write(store.claim, run_of(actor, agent_id), MINE) for _ in range(8)]
    results = await asyncio.gather(*claims, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", *["ThreadBusy"] * 7]


async def test_a_claim_that_waits_for_another_transaction_is_told_that_it_lost(db, actor, agent_id):
    if db.dialect == "sqlite":
        pytest.skip("writes queue for one thread")
    first = run_of(actor, agent_id)
    async with db.engine.begin() as conn:
        await conn.run_sync(store.claim, first, MINE)
        second = asyncio.create_task(db.write(store.claim, run_of(actor, agent_id), OTHER))
        await asyncio.sleep(0.1)
        assert not second.done()
    with pytest.raises(ThreadBusy) as busy:
        await second
    assert busy.value.extra == {"run_id": first.id}


async def test_a_run_whose_lease_ran_out_is_closed_by_the_next(db, actor, agent_id):
    dead = run_of(actor, agent_id)
    await db.write(store.claim, dead, DEAD)
    await db.write(store.insert_step, step_of(dead))
    await db.write(store.claim, run_of(actor, agent_id), MINE)
    closed = await stored(db, actor, dead)
    assert (closed.status, closed.stop_reason) == ("failed", "error")
    assert closed.completed_at
    assert "stopped while it worked" in closed.error["message"]
    (step,) = await steps_of(db, actor, dead)
    assert (step.status, step.error_type) == ("failed", "interrupted")


async def test_a_run_that_ended_is_not_closed_again(db, actor, agent_id, run):
    await db.write(store.finish, run.id, MINE, stop_reason="end_turn", usage={})
    await db.write(store.abandon, [run.id])
    assert (await stored(db, actor, run)).status == "completed"


async def test_a_run_ends_once(db, actor, run):
    await db.write(
        store.finish,
        run.id,
        MINE,
        stop_reason="max_steps",
        usage={"prompt": 3},
        ttft_ns=5,
        total_duration_ns=9,
    )
    ended = await stored(db, actor, run)
    assert (ended.status, ended.stop_reason, ended.ttft_ns, ended.total_duration_ns) == (
        "completed",
        "max_steps",
        5,
        9,
    )
    with pytest.raises(LeaseLost):
        await db.write(store.finish, run.id, MINE, stop_reason="error", usage={})
    with pytest.raises(LeaseLost):
        await db.write(store.hold, run.id, MINE)
    assert await stored(db, actor, run) == ended


async def test_a_process_that_lost_its_run_cannot_write_for_it(db, actor, agent_id):
    run = run_of(actor, agent_id)
    await db.write(store.claim, run, DEAD)
    await db.write(store.hold, run.id, DEAD)
    successor = run_of(actor, agent_id)
    await db.write(store.claim, successor, OTHER)
    with pytest.raises(LeaseLost):
        await db.write(store.hold, run.id, DEAD)
    assert await db.write(store.renew, DEAD, [run.id]) == set()
    assert (await stored(db, actor, successor)).status == "running"


async def test_a_lease_is_renewed_for_the_runs_still_owned(db, actor, agent_id, run):
    def expiry(conn):
        return conn.execute(select(runs.c.lease_expires).where(runs.c.id == run.id)).scalar_one()

    before = await db.read(expiry)
    assert await db.write(store.renew, MINE, [run.id, "run-gone"]) == {run.id}
    assert await db.read(expiry) > before
    assert await db.write(store.renew, OTHER, [run.id]) == set()


async def test_a_server_that_starts_closes_the_runs_of_its_earlier_life(db, actor, agent_id):
    instance = new_id("instance")
    mine = run_of(actor, agent_id)
    await db.write(store.claim, mine, Lease(f"{instance}:boot-1", 30))
    neighbour = await new_agent(db, actor)
    await db.write(_thread, actor, neighbour)
    theirs = run_of(actor, neighbour)
    await db.write(store.claim, theirs, Lease(f"{instance}2:boot-1", 30))
    assert await db.write(store.abandon_owned, f"{instance}:") == 1
    assert await db.write(store.abandon_owned, f"{instance}:") == 0
    assert (await stored(db, actor, mine)).status == "failed"
    assert (await stored(db, actor, theirs)).status == "running"


def _thread(conn, actor, agent_id):
    from perdure.messages.store import open_thread

    open_thread(conn, actor, agent_id, agent_id, "", "")


async def test_runs_are_chosen_by_what_they_are(db, actor, agent_id):
    done = run_of(actor, agent_id, background=True, conversation_id="conv-1")
    await db.write(store.claim, done, MINE)
    await db.write(store.finish, done.id, MINE, stop_reason="tool_rule", usage={})
    going = run_of(actor, agent_id)
    await db.write(store.claim, going, MINE)

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


async def test_a_broken_run_ends_with_its_steps(db, actor, run):
    error = {"error_type": "internal_error", "message": "half \x00 a \ud800 word"}
    await db.write(store.break_off, run.id, MINE, error=error)
    ended = await stored(db, actor, run)
    assert (ended.status, ended.stop_reason, ended.error["message"]) == ("failed", "error", "half  a  word")
    (step,) = await steps_of(db, actor, run)
    assert (step.status, step.stop_reason, step.error_type) == ("failed", "error", "internal_error")
    with pytest.raises(LeaseLost):
        await db.write(store.break_off, run.id, MINE, error=error)
    assert await stored(db, actor, run) == ended
