"""Stored frames: in order, once, only by who holds the run, and not for ever."""

from datetime import timedelta

import pytest
from tests.memory.mind import new_agent
from tests.runs.rows import MINE, OTHER, run_of

from perdure.kit.clock import now
from perdure.messages import store as messages
from perdure.runs import frames, leases, store
from perdure.runs.frames import ATTEMPT_GAP, Batch, FrameRow
from perdure.runs.leases import Hold, RunEnd


def rows(*numbers: int) -> list[FrameRow]:
    return [FrameRow(number, f'{{"seq_id":{number}}}') for number in numbers]


@pytest.fixture
async def second_run(db, actor):
    thread = await new_agent(db, actor)
    await db.write(messages.open_thread, actor, thread, thread, "Be kind.", "mark")
    made = run_of(actor, thread)
    await db.write(leases.claim, made, MINE)
    return made


async def stored(db, run, after: int = 0, most: int = 100) -> list[int]:
    return [row.seq for row in (await db.read(frames.since, run.id, after, most))[1]]


async def test_frames_are_read_in_order_after_a_cursor(db, run):
    told = [*rows(1, 2), FrameRow(3, "{}", "error")]
    await db.write(frames.insert_frames, run.id, told)
    assert await db.read(frames.since, run.id, 0, 100) == ("running", told)
    assert await stored(db, run, after=1, most=1) == [2]
    assert await stored(db, run, after=3) == []
    assert await db.read(frames.last_frame, run.id) == told[-1]


async def test_a_frame_that_is_there_stays_as_it_is(db, run):
    await db.write(frames.insert_frames, run.id, rows(1, 2))
    await db.write(frames.insert_frames, run.id, [FrameRow(2, "other"), *rows(3)])
    assert (await db.read(frames.since, run.id, 0, 9))[1] == rows(1, 2, 3)


async def test_many_runs_are_stored_at_once_but_only_by_who_holds_them(db, run, second_run):
    batches = [Batch(run.id, 1, rows(1, 2)), Batch(second_run.id, 1, rows(1))]
    assert await db.write(frames.spill, OTHER.owner, batches, ()) == set()
    assert await db.write(frames.spill, MINE.owner, batches, ()) == {run.id, second_run.id}
    assert (await stored(db, run), await stored(db, second_run)) == ([1, 2], [1])
    late = [Batch(run.id, 2, rows(3))]
    assert await db.write(frames.spill, MINE.owner, late, [second_run.id]) == set()
    await db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn"))
    assert await db.write(frames.spill, MINE.owner, [Batch(run.id, 1, rows(3))], ()) == set()
    assert await stored(db, run) == [1, 2]


async def test_a_run_that_is_being_saved_is_not_waited_for(db, run, second_run):
    if db.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    batches = [Batch(run.id, 1, rows(1)), Batch(second_run.id, 1, rows(1))]
    async with db.engine.begin() as saving:
        await saving.run_sync(leases.keep, Hold(run.id, MINE))
        assert await db.write(frames.spill, MINE.owner, batches, ()) == {second_run.id}
    assert await db.write(frames.spill, MINE.owner, batches, ()) == {run.id, second_run.id}


async def test_a_further_attempt_counts_from_beyond_what_anybody_saw(db, run):
    assert await db.read(frames.next_attempt, run.id) == ATTEMPT_GAP
    await db.write(frames.insert_frames, run.id, rows(1, 2))
    assert await db.read(frames.next_attempt, run.id) == ATTEMPT_GAP + 2


async def test_frames_go_with_their_run_and_are_pruned_some_time_after_its_end(db, actor, run, second_run):
    for each in (run, second_run):
        await db.write(frames.insert_frames, each.id, rows(1))
    assert run.id not in await db.read(frames.outlived, now() + timedelta(days=1), 1000)
    await db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn"))
    assert run.id not in await db.read(frames.outlived, now() - timedelta(hours=1), 1000)
    old = await db.read(frames.outlived, now() + timedelta(seconds=1), 1000)
    assert run.id in old
    assert second_run.id not in old
    await db.write(frames.prune, run.id)
    assert await stored(db, run) == []
    await db.write(store.delete_run, actor, second_run.id)
    assert await db.read(frames.since, second_run.id, 0, 9) == (None, [])
