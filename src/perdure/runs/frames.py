"""What streams of durable runs showed: units of work.

Frames come here in batches while a run works, and with the transactions of its save points. Numbers
only grow: a frame that is there stays as it is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select

from perdure.db.insert import insert_new
from perdure.db.notify import commit_without_waiting, notify
from perdure.runs.tables import run_frames, runs

CHANNEL = "perdure_frames"
# Between the numbers of two attempts at a run. A reader of the first may have seen frames that died with
# its process before they were stored; the second must not give their numbers to others.
ATTEMPT_GAP = 10_000

SINCE = (
    select(run_frames.c.seq, run_frames.c.event, run_frames.c.data)
    .where(run_frames.c.run_id == bindparam("run_id"), run_frames.c.seq > bindparam("after"))
    .order_by(run_frames.c.seq)
    .limit(bindparam("most"))
)
STATUS = select(runs.c.status).where(runs.c.id == bindparam("run_id"))
LAST = (
    select(run_frames.c.seq, run_frames.c.event, run_frames.c.data)
    .where(run_frames.c.run_id == bindparam("run_id"))
    .order_by(run_frames.c.seq.desc())
    .limit(1)
)
# The save points of a run hold its row: what they write themselves need not be waited for.
HELD = (
    select(runs.c.id, runs.c.attempt)
    .where(
        runs.c.id.in_(bindparam("ids", expanding=True)),
        runs.c.status.in_(("created", "running")),
        runs.c.lease_owner == bindparam("owner"),
    )
    .with_for_update(key_share=True, skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class FrameRow:
    """A frame as it is on the wire: its event's name, if it has one, and its JSON."""

    seq: int
    data: str
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """New frames of a run, made in the n-th attempt at it."""

    run_id: str
    attempt: int
    frames: Sequence[FrameRow]


def insert_frames(conn: Connection, run_id: str, frames: Sequence[FrameRow]) -> None:
    """Store frames of a run; those that are there already are left out."""
    insert_new(conn, run_frames, _values(run_id, frames))


def spill(conn: Connection, owner: str, batches: Sequence[Batch], saved: Collection[str]) -> set[str]:
    """Store new frames of many runs at work, and tell other servers that they are there.

    `saved` are runs whose frames were stored by their save points. Returns the runs whose batches are
    stored now: not those that are being saved at this moment, nor those that are not ours any more.
    """
    commit_without_waiting(conn)
    held: list[Batch] = []
    if batches:
        found = conn.execute(HELD, {"ids": [batch.run_id for batch in batches], "owner": owner})
        ours = {(row.id, row.attempt) for row in found}
        held = [batch for batch in batches if (batch.run_id, batch.attempt) in ours]
        insert_new(conn, run_frames, [row for batch in held for row in _values(batch.run_id, batch.frames)])
    stored = {batch.run_id for batch in held}
    notify(conn, CHANNEL, stored.union(saved))
    return stored


def _values(run_id: str, frames: Sequence[FrameRow]) -> list[dict[str, str | int | None]]:
    return [{"run_id": run_id, "seq": row.seq, "event": row.event, "data": row.data} for row in frames]


def since(conn: Connection, run_id: str, after: int, most: int) -> tuple[str | None, list[FrameRow]]:
    """How a run stands (None: it is gone), and its stored frames above a number, in order.

    The status is read first: a run that has ended then has all its frames there.
    """
    status = conn.execute(STATUS, {"run_id": run_id}).scalar()
    found = conn.execute(SINCE, {"run_id": run_id, "after": after, "most": most})
    return status, [FrameRow(row.seq, row.data, row.event) for row in found]


def last_frame(conn: Connection, run_id: str) -> FrameRow | None:
    """The last stored frame of a run."""
    row = conn.execute(LAST, {"run_id": run_id}).first()
    return FrameRow(row.seq, row.data, row.event) if row else None


def next_attempt(conn: Connection, run_id: str) -> int:
    """The number after which a further attempt at a run counts its frames."""
    last = last_frame(conn, run_id)
    return (last.seq if last else 0) + ATTEMPT_GAP


def outlived(conn: Connection, before: datetime, most: int) -> list[str]:
    """Runs that have frames and ended before a time.

    The ids are found by stepping through the key from run to run, a probe for each.
    """
    first = select(func.min(run_frames.c.run_id).label("id")).cte("kept", recursive=True)
    following = select(func.min(run_frames.c.run_id)).where(run_frames.c.run_id > first.c.id)
    kept = first.union_all(select(following.scalar_subquery()).where(first.c.id.is_not(None)))
    ended = select(kept.c.id).join(runs, runs.c.id == kept.c.id).where(runs.c.completed_at < before)
    return list(conn.execute(ended.limit(most)).scalars())


def prune(conn: Connection, run_id: str) -> None:
    """Forget the frames of a run; what was said in it stays."""
    conn.execute(delete(run_frames).where(run_frames.c.run_id == run_id))
