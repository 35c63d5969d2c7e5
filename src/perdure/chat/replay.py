"""A run that is told from the database: one that came before, or one that another server goes on with."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from perdure.chat.frames import failure_frames, last_words
from perdure.chat.wire import Projection
from perdure.db import Database
from perdure.kit.errors import Unavailable
from perdure.loop.events import Saved, TurnFailed
from perdure.loop.stops import error_again
from perdure.messages import store as messages
from perdure.runs import store as runs
from perdure.runs.live import LiveRun
from perdure.runs.runner import RunGoesOn
from perdure.runs.store import RunRow

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
MOST_FAILURES = 20  # looks in a row, until its reader is told that it goes on without us


def replay(db: Database, run_id: str, projection: Projection, told: Collection[str] = ()) -> LiveRun:
    """A run that is worked on elsewhere, or has ended, as its readers are shown it.

    Messages that were `told` are left out. Cancel its task when nobody reads it any more.
    """
    again = LiveRun(run_id)
    telling = _tell(again, db, replace(projection, run_id=run_id), told)
    again.task = asyncio.create_task(telling, name=f"replay of {run_id}")
    return again


def read_back(run_id: str) -> LiveRun:
    """A run whose stream the database has, or will have."""
    again = LiveRun(run_id, durable=True)
    again.given_up = True
    again.finish()
    return again


async def _tell(again: LiveRun, db: Database, projection: Projection, told: Collection[str]) -> None:
    after: datetime | None = None
    failures = 0
    while True:
        try:
            run, said = await db.read(said_since, again.run_id, after)
        except Exception:  # work in the background, that is tried again
            failures += 1
            if failures == MOST_FAILURES:
                log.exception("a run could not be followed", extra={"run_id": again.run_id})
                return _break_off(again)
        else:
            failures = 0
            for saved in said:
                after = saved.message.created_at
                for frame in projection.frames(saved) if saved.message.id not in told else ():
                    again.append(frame)
            if run is None or run.completed_at:
                return _end(again, run)
        await asyncio.sleep(LOOK_SECONDS)


def said_since(
    conn: Connection, run_id: str, after: datetime | None = None
) -> tuple[RunRow | None, list[Saved]]:
    """How a run stands (None: it is gone), and what was said in it after a moment.

    The run is read first: one that has ended then has all its messages there.
    """
    run = runs.find_run(conn, run_id)
    rows = messages.of_run(conn, run_id, after=after)
    steps = runs.steps_in_conversation(conn, run_id) if rows else set[str]()
    return run, [Saved(row, row.role == "summary" or row.step_id not in steps) for row in rows]


def _end(again: LiveRun, run: RunRow | None) -> None:
    for last in last_words(again.run_id, run):
        again.append(*last)
    if run is None:
        again.finish(Unavailable(f"Run {again.run_id} was deleted."))
    elif run.error:
        cause = error_again(run.error["error_type"], run.error["message"])
        again.finish(TurnFailed(run.stop_reason or "error", cause))
    else:
        again.finish()


def _break_off(again: LiveRun) -> None:
    """It has not ended, but no more of it can be told."""
    lost = RunGoesOn(again.run_id)
    for last in failure_frames(
        again.run_id, "error", {"error_type": "stream_incomplete", "message": lost.detail}
    ):
        again.append(*last)
    again.finish(lost)
