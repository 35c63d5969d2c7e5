"""Runs that wait for one another: an agent asks another one, which is busy asking a third."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from perdure.runs.leases import OPEN
from perdure.runs.tables import runs
from perdure.tenancy.actor import Actor, is_owned

AWAITED_BY = "awaited_by"  # in a run's metadata: the run that waits for its end
HOPS = "hops"  # there as well: how many agents have passed the word on


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run at work, or in line for its thread; `awaited_by` is the run that waits for it."""

    id: str
    thread_id: str
    created_at: datetime
    in_line: bool = False
    awaited_by: str | None = None


def closes_circle(found: Sequence[OpenRun], run_id: str) -> bool:
    """Whether a run waits, over however many others, for itself: pure.

    A run waits for those it has asked. One in line waits for all that came to its thread before it.
    """
    known = {run.id: run for run in found}
    seen: set[str] = set()
    ahead = list(_awaited(found, run_id))
    while ahead:
        current = ahead.pop()
        if current == run_id:
            return True
        if current not in seen:
            seen.add(current)
            ahead += _awaited(found, current)
            ahead += _before(found, known[current])
    return False


def _awaited(found: Sequence[OpenRun], run_id: str) -> Iterator[str]:
    return (run.id for run in found if run.awaited_by == run_id)


def _before(found: Sequence[OpenRun], waiting: OpenRun) -> Iterator[str]:
    line = (run for run in found if run.thread_id == waiting.thread_id and run.id != waiting.id)
    return (
        run.id
        for run in line
        if waiting.in_line and (not run.in_line or run.created_at <= waiting.created_at)
    )


def open_runs(conn: Connection, actor: Actor) -> list[OpenRun]:
    """All open runs of an organization."""
    columns = (runs.c.id, runs.c.thread_id, runs.c.created_at, runs.c.status, runs.c.metadata)
    return [
        OpenRun(
            row.id,
            row.thread_id,
            row.created_at,
            row.status == "created",
            _told(row.metadata).get(AWAITED_BY),
        )
        for row in conn.execute(select(*columns).where(OPEN, is_owned(runs, actor)))
    ]


def _told(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return metadata or {}


def hops_of(conn: Connection, actor: Actor, run_id: str) -> int:
    """How many agents have passed on what a run works on; 0 where a person asked, or nobody knows."""
    mine = runs.c.id == run_id, is_owned(runs, actor)
    metadata = conn.execute(select(runs.c.metadata).where(*mine)).scalar()
    return _told(metadata).get(HOPS, 0)


def stop_waiting(conn: Connection, actor: Actor, run_id: str) -> bool:
    """Nobody waits for a run any more. If it is still in line it is asked to end; whether it was."""
    mine = runs.c.id == run_id, is_owned(runs, actor)
    metadata = _told(conn.execute(select(runs.c.metadata).where(*mine)).scalar())
    kept = {name: value for name, value in metadata.items() if name != AWAITED_BY}
    conn.execute(update(runs).where(*mine).values(metadata=kept))
    in_line = update(runs).where(*mine, runs.c.status == "created").values(cancel_requested=True)
    return conn.execute(in_line.returning(runs.c.id)).first() is not None
