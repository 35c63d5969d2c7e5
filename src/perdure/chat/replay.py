"""A request that came before is answered with what came of it the first time."""

import asyncio
from dataclasses import replace

from perdure.chat.frames import last_words
from perdure.chat.result import run_and_messages
from perdure.chat.wire import Projection
from perdure.db import Database
from perdure.kit.errors import PerdureError
from perdure.loop.events import Saved, TurnFailed
from perdure.loop.stops import error_again
from perdure.messages.store import MessageRow
from perdure.runs.live import LiveRun
from perdure.runs.store import RunRow
from perdure.tenancy.actor import Actor

LOOK_SECONDS = 0.25


def replay(db: Database, actor: Actor, run_id: str, projection: Projection) -> LiveRun:
    """A run that is worked on elsewhere, or has ended, as its readers were shown it."""
    again = LiveRun(run_id)
    again.task = asyncio.create_task(_fill(again, db, actor, replace(projection, run_id=run_id)))
    return again


def read_back(run_id: str) -> LiveRun:
    """A run whose stream the database has, or will have."""
    again = LiveRun(run_id, durable=True)
    again.given_up = True
    again.finish()
    return again


async def _fill(again: LiveRun, db: Database, actor: Actor, projection: Projection) -> None:
    failure: Exception | None = None
    try:
        run, rows = await _ended_run(db, actor, again.run_id)
        for row in rows:
            for frame in projection.frames(Saved(row)):
                again.append(frame)
        for last in last_words(run.id, run):
            again.append(*last)
        if run.error:
            cause = error_again(run.error["error_type"], run.error["message"])
            failure = TurnFailed(run.stop_reason or "error", cause)
    except PerdureError as error:  # deleted meanwhile
        failure = error
    again.finish(failure)


async def _ended_run(db: Database, actor: Actor, run_id: str) -> tuple[RunRow, list[MessageRow]]:
    while True:
        run, rows = await db.read(run_and_messages, actor, run_id)
        if run.completed_at:
            return run, rows
        await asyncio.sleep(LOOK_SECONDS)
