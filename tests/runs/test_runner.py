"""Runs at work: leases kept alive, ends told, whatever happens."""

import asyncio
import logging
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import select
from tests.runs.rows import run_of

from perdure.runs import leases
from perdure.runs.leases import Hold, Lease, RunEnd
from perdure.runs.live import LiveRun
from perdure.runs.runner import RunGoesOn, RunInterrupted, Runner
from perdure.runs.tables import runs

QUICK = Lease("me:quick", 0.15)


class Word(BaseModel):
    text: str


class Flaky:
    """A database that fails when told so."""

    def __init__(self, db: Any):
        self.db, self.failures, self.read = db, 0, db.read

    async def write(self, *args: Any, **kwargs: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError("the database is gone")
        return await self.db.write(*args, **kwargs)


async def say(*words: str, gate: asyncio.Event | None = None, error: Exception | None = None) -> Any:
    for word in words:
        yield Word(text=word), None
    if gate:
        await gate.wait()
    if error:
        raise error


async def told(error: Exception) -> Any:
    return say(f"failed: {type(error).__name__}")


def texts(live: Any) -> list[str]:
    return [frame.model.text for frame in live.frames]


@pytest.fixture
def db(shared_database):
    return Flaky(shared_database)


@pytest.fixture
async def run(db, actor, agent_id):
    made = run_of(actor, agent_id)
    await db.write(leases.claim, made, QUICK)
    return made


@pytest.fixture
async def runner(db):
    made = Runner(db, QUICK)
    await made.start()
    yield made
    await made.close(0)


async def test_a_run_is_followed_to_its_end_from_anywhere(runner, run):
    live = runner.drive(LiveRun(run.id), say("a", "b"), told)
    assert [word.text for word in await live.ended()] == ["a", "b"]
    assert [frame.seq async for frame in live.follow(1)] == [2]
    await live.task
    await asyncio.sleep(0)
    assert runner.live == {}


async def test_a_fault_is_told_in_the_stream_and_to_who_waits(runner, run):
    live = runner.drive(LiveRun(run.id), say("a", error=ValueError("no")), told)
    with pytest.raises(ValueError, match="no"):
        await live.ended()
    assert texts(live) == ["a", "failed: ValueError"]


async def test_a_fault_while_a_fault_is_told_still_ends_the_run(runner, run):
    async def broken(error: Exception) -> Any:
        raise OSError("the database is gone")

    live = runner.drive(LiveRun(run.id), say("a", error=ValueError("no")), broken)
    with pytest.raises(RunInterrupted):
        await live.ended()
    assert isinstance(live.task.exception(), OSError)


async def test_a_lease_outlives_a_fault_of_the_database(runner, run, db, caplog):
    def expiry(conn):
        return conn.execute(select(runs.c.lease_expires).where(runs.c.id == run.id)).scalar_one()

    gate = asyncio.Event()
    live = runner.drive(LiveRun(run.id), say("a", gate=gate), told)
    before = await db.read(expiry)
    with caplog.at_level(logging.WARNING):
        db.failures = 1
        await asyncio.sleep(0.3)
    assert "trying again" in caplog.text
    assert await db.read(expiry) > before
    gate.set()
    await live.ended()


async def test_a_run_that_another_server_took_over_is_stopped(runner, run, db, caplog):
    live = runner.drive(LiveRun(run.id), say("a", gate=asyncio.Event()), told)
    await db.write(leases.break_off, Hold(run.id, QUICK), {"error_type": "x", "message": "x"})
    with pytest.raises(RunInterrupted):
        await asyncio.wait_for(live.ended(), 5)
    assert texts(live) == ["a", "failed: RunInterrupted"]
    assert "lost the lease" in caplog.text


async def test_a_run_that_is_just_ending_is_not_taken_for_a_lost_one(runner, run, db):
    async def ending() -> Any:
        yield Word(text="a"), None
        await db.write(leases.finish, Hold(run.id, QUICK), RunEnd("end_turn"))
        await asyncio.sleep(QUICK.seconds / 3)  # one heartbeat falls into this
        yield Word(text="end"), None

    live = runner.drive(LiveRun(run.id), ending(), told)
    assert [word.text for word in await live.ended()] == ["a", "end"]


async def test_a_server_that_stops_waits_a_while_then_tells_readers(runner, run):
    gate = asyncio.Event()
    patient = runner.drive(LiveRun(run.id), say("a", gate=gate), told)
    asyncio.get_running_loop().call_later(0.05, gate.set)
    await runner.close(5)
    assert texts(patient) == ["a"]
    assert patient.failure is None
    endless = runner.drive(LiveRun(run.id), say("b", gate=asyncio.Event()), told)
    unborn = runner.drive(LiveRun("run-unborn"), say("c"), told)
    unborn.task.cancel()
    await asyncio.sleep(0)
    await runner.close(0)
    assert texts(endless) == ["b", "failed: RunInterrupted"]
    for live in (endless, unborn):
        with pytest.raises(RunInterrupted):
            await live.ended()


async def test_silence_is_noticed(runner, run):
    gate = asyncio.Event()
    live = runner.drive(LiveRun(run.id), say("a", gate=gate), told)
    seen = []
    async for frame in live.follow(silence=0.02):
        seen.append(frame and frame.seq)
        if len(seen) == 3:
            gate.set()
    assert seen[:3] == [1, None, None]


async def test_a_durable_run_is_left_to_others_when_its_server_stops(runner, run, db):
    endless = runner.drive(LiveRun(run.id, durable=True), say("a", gate=asyncio.Event()), told)
    await asyncio.sleep(0)
    await runner.close(0)
    assert texts(endless) == ["a"]
    assert endless.cut
    with pytest.raises(RunGoesOn, match=run.id):
        await endless.ended()
    taken = await db.write(leases.take_over, Lease("next:1", 30))
    assert run.id in [one.run.id for one in taken]


async def test_who_waits_for_a_thread_is_told_when_its_run_ends(runner, run):
    left, first, second = (runner.line_up("thread") for _ in range(3))
    left.cancel()
    assert runner.is_first("thread", first)
    runner.drive(LiveRun(run.id, thread_id="thread"), say("a"), told)
    await asyncio.wait_for(first, 5)
    assert not second.done()
    assert runner.is_first("thread", second)
    back = runner.line_up("thread", first=True)
    assert runner.is_first("thread", back)


async def test_who_is_told_while_looking_is_not_in_line_any_more(runner, run):
    place = runner.line_up("thread")
    runner.drive(LiveRun(run.id, thread_id="thread"), say("a"), told)
    await asyncio.wait_for(place, 5)
    assert not runner.is_first("thread", place)
