"""Who works on a run: one at a time in a thread, held by a lease, in line, taken over, ended once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.runs.rows import MINE, OTHER, run_of, steps_of, stored

from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.runs import cancel, leases, store
from perdure.runs.cancel import request_cancel
from perdure.runs.leases import Hold, Lease, LeaseLost, QueueFull, RunEnd, ThreadBusy
from perdure.runs.store import RunRow
from perdure.runs.tables import runs

GONE = Lease("gone:1", -1)


async def test_a_thread_has_one_run_at_a_time(db, actor, agent_id, run):
    with pytest.raises(ThreadBusy) as busy:
        await db.write(leases.claim, run_of(actor, agent_id), OTHER)
    assert busy.value.extra == {"run_id": run.id}
    await db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn", {"prompt": 1}))
    await db.write(leases.claim, run_of(actor, agent_id), OTHER)


async def test_of_claims_at_once_one_wins_and_the_rest_are_told(db, actor, agent_id):
    claims = [db.write(leases.claim, run_of(actor, agent_id), MINE) for _ in range(8)]
    results = await asyncio.gather(*claims, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", *["ThreadBusy"] * 7]


async def test_a_claim_that_waits_for_another_transaction_is_told_that_it_lost(db, actor, agent_id):
    if db.dialect == "sqlite":
        pytest.skip("writes queue for one thread")
    first = run_of(actor, agent_id)
    async with db.engine.begin() as conn:
        await conn.run_sync(leases.claim, first, MINE)
        second = asyncio.create_task(db.write(leases.claim, run_of(actor, agent_id), OTHER))
        await asyncio.sleep(0.1)
        assert not second.done()
    with pytest.raises(ThreadBusy) as busy:
        await second
    assert busy.value.extra == {"run_id": first.id}


async def test_a_run_ends_once(db, actor, run):
    await db.write(
        leases.finish,
        Hold(run.id, MINE),
        RunEnd("max_steps", {"prompt": 3}, ttft_ns=5, total_duration_ns=9),
    )
    ended = await stored(db, actor, run)
    assert (ended.status, ended.stop_reason, ended.ttft_ns, ended.total_duration_ns) == (
        "completed",
        "max_steps",
        5,
        9,
    )
    with pytest.raises(LeaseLost):
        await db.write(leases.finish, Hold(run.id, MINE), RunEnd("error"))
    with pytest.raises(LeaseLost):
        await db.write(leases.keep, Hold(run.id, MINE))
    assert await stored(db, actor, run) == ended


async def test_a_lease_is_renewed_for_the_runs_still_owned(db, actor, agent_id, run):
    def expiry(conn):
        return conn.execute(select(runs.c.lease_expires).where(runs.c.id == run.id)).scalar_one()

    before = await db.read(expiry)
    await asyncio.sleep(0.005)
    assert await db.write(leases.renew, MINE, [run.id, "run-gone"]) == {run.id}
    assert await db.read(expiry) > before
    assert await db.write(leases.renew, OTHER, [run.id]) == set()


async def test_a_broken_run_ends_with_its_steps(db, actor, run):
    error = {"error_type": "internal_error", "message": "half \x00 a \ud800 word"}
    await db.write(leases.break_off, Hold(run.id, MINE), error)
    ended = await stored(db, actor, run)
    assert (ended.status, ended.stop_reason, ended.error["message"]) == ("failed", "error", "half  a  word")
    (step,) = await steps_of(db, actor, run)
    assert (step.status, step.stop_reason, step.error_type) == ("failed", "error", "internal_error")
    with pytest.raises(LeaseLost):
        await db.write(leases.break_off, Hold(run.id, MINE), error)
    assert await stored(db, actor, run) == ended


async def in_line(db, actor, agent_id, lease=MINE, request=None, seconds=0) -> RunRow:
    waiting = run_of(actor, agent_id, status="created", created_at=now() + timedelta(seconds=seconds))
    await db.write(leases.enqueue, waiting, lease, request or {"drafts": []}, limit=5)
    return waiting


async def test_runs_in_line_begin_one_after_the_other_in_the_order_they_came(db, actor, agent_id, run):
    second = await in_line(db, actor, agent_id, seconds=1)
    third = await in_line(db, actor, agent_id, seconds=2)
    assert not await db.write(leases.start, agent_id, Hold(second.id, MINE))
    await db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn"))
    assert not await db.write(leases.start, agent_id, Hold(third.id, MINE))
    assert await db.write(leases.start, agent_id, Hold(second.id, MINE))
    assert (await stored(db, actor, second)).status == "running"
    assert not await db.write(leases.start, agent_id, Hold(third.id, MINE))


async def test_a_thread_with_a_line_takes_nothing_but_a_reply_ahead_of_it(db, actor, agent_id):
    waiting = await in_line(db, actor, agent_id)
    with pytest.raises(ThreadBusy) as busy:
        await db.write(leases.claim, run_of(actor, agent_id), OTHER)
    assert busy.value.run_id == waiting.id
    reply = run_of(actor, agent_id)
    await db.write(leases.claim, reply, OTHER, ahead=True)
    with pytest.raises(ThreadBusy):
        await db.write(leases.claim, run_of(actor, agent_id), OTHER, ahead=True)


async def test_a_line_has_a_limit(db, actor, agent_id, run):
    for _ in range(5):
        await in_line(db, actor, agent_id)
    with pytest.raises(QueueFull, match="5 messages wait"):
        await in_line(db, actor, agent_id)


async def test_what_waits_is_known_by_its_otids(db, actor, agent_id, run):
    waiting = await in_line(db, actor, agent_id, request={"drafts": [{"otid": "a"}, {"otid": "b"}]})
    assert await db.read(leases.waiting_with, agent_id, ("a", "b")) == waiting.id
    assert await db.read(leases.waiting_with, agent_id, ("a",)) is None


async def test_only_runs_of_silent_processes_are_taken_over_and_each_once(db, actor, agent_id):
    lost = run_of(actor, agent_id)
    await db.write(leases.claim, lost, GONE, {"options": {}})
    queued = await in_line(db, actor, agent_id, lease=GONE, seconds=1)
    taken = [t for t in await db.write(leases.take_over, MINE) if t.run.agent_id == agent_id]
    assert [(t.run.id, t.run.status, t.hold) for t in taken] == [
        (lost.id, "running", Hold(lost.id, MINE, 2)),
        (queued.id, "created", Hold(queued.id, MINE, 2)),
    ]
    assert taken[0].request == {"options": {}}
    again = await db.write(leases.take_over, OTHER)
    assert not [t for t in again if t.run.agent_id == agent_id]


async def test_of_processes_that_take_over_at_once_one_gets_the_run(db, actor, agent_id):
    lost = run_of(actor, agent_id)
    await db.write(leases.claim, lost, GONE)
    takers = [Lease(f"taker-{n}:1", 30) for n in range(6)]
    results = await asyncio.gather(*(db.write(leases.take_over, taker) for taker in takers))
    assert [t.run.id for taken in results for t in taken].count(lost.id) == 1


async def test_a_process_that_lost_its_run_cannot_write_for_it_any_more(db, actor, agent_id):
    lost = run_of(actor, agent_id)
    await db.write(leases.claim, lost, GONE)
    mine = Hold(lost.id, GONE)
    await db.write(leases.keep, mine)
    await db.write(leases.take_over, OTHER)
    for work in (leases.keep, leases.forget_input):
        with pytest.raises(LeaseLost):
            await db.write(work, mine, *([{}] if work is leases.forget_input else []))
    with pytest.raises(LeaseLost):
        await db.write(leases.finish, mine, RunEnd("end_turn"))
    assert await db.write(leases.renew, GONE, [lost.id]) == set()


async def test_an_earlier_attempt_of_the_same_process_cannot_write_either(db, actor, agent_id):
    lost = run_of(actor, agent_id)
    await db.write(leases.claim, lost, GONE)
    await db.write(leases.take_over, GONE)  # silent again at once
    with pytest.raises(LeaseLost):
        await db.write(leases.keep, Hold(lost.id, GONE, 1))
    await db.write(leases.keep, Hold(lost.id, GONE, 2))


async def test_a_server_that_starts_takes_up_the_runs_of_its_earlier_life_at_once(db, actor, agent_id):
    instance = new_id("instance")
    mine = run_of(actor, agent_id)
    await db.write(leases.claim, mine, Lease(f"{instance}:boot-1", 30))
    now_mine = Lease(f"{instance}:boot-2", 30)
    assert not [t for t in await db.write(leases.take_over, now_mine) if t.run.id == mine.id]
    earlier: Any = await db.write(leases.take_over, now_mine, earlier=f"{instance}:")
    assert [t.hold.attempt for t in earlier if t.run.id == mine.id] == [2]
    assert not [
        t for t in await db.write(leases.take_over, now_mine, earlier=f"{instance}:") if t.run.id == mine.id
    ]


async def test_a_run_that_was_let_go_is_taken_up_by_the_next_who_looks(db, actor, agent_id, run):
    await db.write(leases.release, MINE, [run.id])
    assert await db.read(leases.has_orphans)
    (taken,) = [t.run for t in await db.write(leases.take_over, OTHER) if t.run.id == run.id]
    assert (taken.attempt, taken.crashes) == (2, 0)


async def test_only_a_run_at_work_can_have_killed_its_process(db, actor, agent_id):
    lost = run_of(actor, agent_id)
    await db.write(leases.claim, lost, GONE)
    queued = await in_line(db, actor, agent_id, lease=GONE, seconds=1)
    taken = {t.run.id: t.run.crashes for t in await db.write(leases.take_over, MINE)}
    assert (taken[lost.id], taken[queued.id]) == (1, 0)


async def test_a_silent_run_whose_end_was_asked_for_ends(db, actor, agent_id):
    lost = run_of(actor, agent_id)
    await db.write(leases.claim, lost, GONE)
    await db.write(request_cancel, actor, agent_id, [lost.id])
    assert (await stored(db, actor, lost)).status == "cancelled"


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_replica_whose_clock_is_wrong_takes_nothing_from_the_living(
    db, actor, agent_id, run, monkeypatch, hours
):
    clock_is_wrong(monkeypatch, hours)
    assert run.id not in {taken.run.id for taken in await db.write(leases.take_over, OTHER)}
    with pytest.raises(ThreadBusy) as busy:
        await db.write(leases.claim, run_of(actor, agent_id), OTHER)
    assert not busy.value.recovering
    await db.write(request_cancel, actor, agent_id, [run.id])
    assert (await stored(db, actor, run)).status == "running"
    await db.write(leases.keep, Hold(run.id, MINE))


@pytest.mark.parametrize("hours", [-1, 1])
async def test_what_a_replica_with_a_wrong_clock_holds_is_held_for_its_time(
    db, actor, agent_id, monkeypatch, hours
):
    theirs = run_of(actor, agent_id)
    with monkeypatch.context() as elsewhere:
        clock_is_wrong(elsewhere, hours)
        await db.write(leases.claim, theirs, Lease("you:1", 0.2))
        await db.write(leases.keep, Hold(theirs.id, Lease("you:1", 0.2)))
    assert theirs.id not in {taken.run.id for taken in await db.write(leases.take_over, MINE)}
    await asyncio.sleep(0.25)
    assert theirs.id in {taken.run.id for taken in await db.write(leases.take_over, MINE)}


def clock_is_wrong(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Let this process think that it is earlier or later."""
    for module in (leases, cancel, store):
        monkeypatch.setattr(module, "now", lambda: now() + timedelta(hours=hours))
