"""Callbacks in the database: due when their run ends, taken by one process at a time."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.runs.rows import MINE, run_of
from tests.runs.test_leases import GONE

from perdure.kit.clock import now
from perdure.runs import leases, store
from perdure.runs.callbacks import Due, any_due, note_try, take_due
from perdure.runs.cancel import request_cancel
from perdure.runs.leases import Hold, RunEnd
from perdure.runs.store import RunRow
from perdure.runs.tables import runs

URL = "http://example.com/hook"


@pytest.fixture
def db(database):
    """A database of its own: whoever takes callbacks takes those of everybody."""
    return database


@pytest.fixture
def shared_database(database):
    """The same for `actor` and `agent_id`."""
    return database


async def claimed(db: Any, actor: Any, agent_id: str, lease: Any = MINE) -> RunRow:
    run = run_of(actor, agent_id, callback_url=URL, callback_due=now())
    await db.write(leases.claim, run, lease)
    return run


async def take(db: Any, *, moment: datetime | None = None, seconds: float = 60, tries: int = 3) -> list[Due]:
    moment = moment or now()
    return await db.write(take_due, moment, moment + timedelta(seconds=seconds), tries, 8)


async def ended(db: Any, run: RunRow) -> None:
    await db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn"))


async def test_a_callback_is_due_when_its_run_has_ended(db, actor, agent_id):
    run = await claimed(db, actor, agent_id)
    assert not await db.read(any_due, now(), 3)
    assert await take(db) == []
    await ended(db, run)
    assert await db.read(any_due, now(), 3)
    (due,) = await take(db)
    assert (due.run.id, due.run.callback_url, due.run.status, due.tries) == (run.id, URL, "completed", 1)


async def test_however_a_run_ends_its_callback_is_due(db, actor, agent_id):
    dead = await claimed(db, actor, agent_id, GONE)
    await db.write(request_cancel, actor, agent_id, [dead.id])
    (due,) = await take(db)
    assert (due.run.id, due.run.status) == (dead.id, "cancelled")


async def test_a_run_without_callback_owes_none(db, actor, agent_id):
    run = run_of(actor, agent_id)
    await db.write(leases.claim, run, MINE)
    await ended(db, run)
    assert await take(db) == []


async def test_what_one_process_takes_no_other_gets_until_its_time_is_over(db, actor, agent_id):
    await ended(db, await claimed(db, actor, agent_id))
    taken = await asyncio.gather(*(take(db) for _ in range(5)))
    assert sum(map(len, taken)) == 1
    assert await take(db) == []
    (again,) = await take(db, moment=now() + timedelta(seconds=61))
    assert again.tries == 2


async def test_the_outcome_of_a_try_is_kept_and_says_when_to_try_again(db, actor, agent_id):
    run = await claimed(db, actor, agent_id)
    await ended(db, run)
    (due,) = await take(db)
    sent, later = now(), now() + timedelta(seconds=5)
    await db.write(note_try, due, sent_at=sent, status_code=503, error="It is busy.", again=later)
    row = await db.read(store.get, actor, run.id)
    assert (row.callback_sent_at, row.callback_status_code, row.callback_error) == (sent, 503, "It is busy.")
    assert await take(db) == []
    (second,) = await take(db, moment=later)
    await db.write(note_try, due, sent_at=sent, status_code=None, error="too late to count", again=later)
    await db.write(note_try, second, sent_at=later, status_code=200, error=None, again=None)
    row = await db.read(store.get, actor, run.id)
    assert (row.callback_sent_at, row.callback_status_code, row.callback_error) == (later, 200, None)
    assert await take(db, moment=later + timedelta(days=1)) == []


async def test_a_callback_is_not_taken_for_ever(db, actor, agent_id):
    run = await claimed(db, actor, agent_id)
    await ended(db, run)
    moment = now()
    for _ in range(3):
        assert len(await take(db, moment=moment)) == 1
        moment += timedelta(seconds=61)
    assert await take(db, moment=moment) == []
    await db.write(lambda conn: conn.execute(update(runs).values(callback_tries=0)))
    assert len(await take(db, moment=moment)) == 1
