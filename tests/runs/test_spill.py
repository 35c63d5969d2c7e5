"""Frames of runs at work reach the database: soon, once, and not those of others."""

import asyncio
import logging
from datetime import timedelta

import pytest
from tests.runs.rows import MINE, OTHER
from tests.runs.test_live import talk
from tests.runs.test_runner import Flaky

from perdure.runs import frames, leases, spill
from perdure.runs.leases import Hold, RunEnd
from perdure.runs.live import LiveRun
from perdure.runs.spill import Spill


@pytest.fixture
def db(shared_database):
    return Flaky(shared_database)


@pytest.fixture
async def log(db):
    made = Spill(db, MINE.owner, timedelta(hours=1))
    await made.start()
    yield made
    await made.close()


async def stored(db, run) -> list[int]:
    return [row.seq for row in (await db.read(frames.since, run.id, 0, 100))[1]]


async def until(db, run, count: int) -> list[int]:
    for _ in range(500):
        if len(found := await stored(db, run)) >= count:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("they were not stored")


async def test_new_frames_are_stored_soon(db, run, log):
    live = LiveRun(run.id, durable=True)
    log.add(live)
    talk(live, 2)
    assert await until(db, run, 2) == [1, 2]
    talk(live, 3)
    assert await until(db, run, 5) == [1, 2, 3, 4, 5]
    await log.flush()
    assert live.stored == 5


async def test_what_a_save_point_stored_is_not_stored_again(db, run, log):
    live = LiveRun(run.id, durable=True)
    log.add(live)
    talk(live, 2)
    await db.write(frames.insert_frames, run.id, live.unstored())
    live.mark_stored(2)
    assert not await log.flush()
    assert live.unstored() == []
    live.finish()
    await log.flush()
    assert log._runs == {}


async def test_frames_of_a_run_that_is_not_ours_are_left_out(db, run, log):
    other = Spill(db, OTHER.owner, timedelta(hours=1))
    live = LiveRun(run.id, durable=True)
    other.add(live)
    talk(live, 1)
    assert await other.flush()
    assert await stored(db, run) == []
    live.finish()
    assert not await other.flush()


async def test_a_fault_of_the_database_loses_no_frame(db, run, log, caplog, monkeypatch):
    monkeypatch.setattr(spill, "RETRY_SECONDS", 0.02)
    live = LiveRun(run.id, durable=True)
    log.add(live)
    with caplog.at_level(logging.WARNING):
        db.failures = 2
        talk(live, 2)
        assert await until(db, run, 2) == [1, 2]
    assert "trying again" in caplog.text


async def test_the_last_frames_are_stored_when_the_server_stops(db, run):
    log = Spill(db, MINE.owner, timedelta(hours=1))
    live = LiveRun(run.id, durable=True)
    log.add(live)
    talk(live, 2)
    await log.close()
    assert await stored(db, run) == [1, 2]


async def test_old_frames_are_forgotten(db, run, log):
    log.keep = timedelta(hours=-1)
    await db.write(frames.insert_frames, run.id, [frames.FrameRow(1, "{}")])
    await log.prune()
    assert await stored(db, run) == [1]
    await db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn"))
    await log.prune()
    assert await stored(db, run) == []
