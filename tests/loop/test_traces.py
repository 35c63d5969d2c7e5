"""Raw exchanges, stored in the background."""

import asyncio
import logging

import pytest
from tests.runs.rows import MINE, run_of, step_of

from perdure.loop.traces import TraceLog
from perdure.providers.base import Exchange
from perdure.runs import leases, store
from perdure.runs.traces import read_trace
from perdure.tenancy.actor import Actor


@pytest.fixture
def db(shared_database):
    return shared_database


@pytest.fixture
async def step(db, actor, agent_id):
    run = run_of(actor, agent_id)
    made = step_of(run)
    await db.write(leases.claim, run, MINE)
    await db.write(store.insert_step, made)
    return made


def exchange(response: bytes = b'{"id": 1}') -> Exchange:
    return Exchange("http://x", 200, b'{"model": "m"}', bytearray(response))


async def logged(db, *entries):
    """What a log does with these before it is closed."""
    log = TraceLog(db)
    await log.start()
    for step, made in entries:
        log.add(step, made)
    await log.close()


async def kept(db, actor, step):
    row = await db.read(store.trace_of, actor, step.id)
    return row and read_trace(row)


async def test_what_waits_is_stored_before_the_end(db, actor, step):
    await logged(db, (step, exchange()))
    assert (await kept(db, actor, step)).request_json == {"url": "http://x", "model": "m"}


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        (b'{"id": 1}', {"id": 1}),
        (b'event: x\ndata: {"a": 1}\n\ndata: [DONE]\n', {"events": [{"a": 1}, "[DONE]"]}),
        (b"<html>", {"text": "<html>"}),
        (b"\xff", {"text": "\ufffd"}),
        (b"[1]", {"text": "[1]"}),
        (b"", {"text": ""}),
    ],
)
async def test_any_answer_can_be_read_back(db, actor, step, response, shown):
    await logged(db, (step, exchange(response)))
    assert (await kept(db, actor, step)).response_json == {"status": 200, **shown}


async def test_a_call_that_was_never_sent_leaves_no_trace(db, actor, step):
    await logged(db, (step, Exchange()))
    assert await kept(db, actor, step) is None


async def test_a_step_that_is_gone_stops_nothing(db, step, caplog):
    await db.write(store.delete_run, Actor(step.organization_id), step.run_id)
    with caplog.at_level(logging.WARNING):
        await logged(db, (step, exchange()))
    assert "could not be stored" in caplog.text


async def test_too_many_are_dropped_and_said_to_be(db, step, caplog):
    log = TraceLog(db)
    log._queue = asyncio.Queue(1)
    log.add(step, exchange())
    log.add(step, exchange())
    assert "dropped" in caplog.text
    await log.start()
    await log.close()
