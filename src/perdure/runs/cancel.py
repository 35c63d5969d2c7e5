"""Cancelling runs, wherever they are worked on: units of work.

A request is a mark on the run's row. The process that works on the run sees the mark and stops; a run
whose process is gone is ended here.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select, update

from perdure.kit.clock import now
from perdure.runs.leases import IS_SILENT, OPEN, Lease
from perdure.runs.store import RunNotFound, Status
from perdure.runs.tables import runs, steps
from perdure.tenancy.actor import Actor, is_owned


def active_runs(conn: Connection, actor: Actor, *, agent_id: str, thread_id: str | None = None) -> list[str]:
    """The runs at work or in line for an agent, or in one of its threads."""
    query = select(runs.c.id).where(is_owned(runs, actor), runs.c.agent_id == agent_id, OPEN)
    if thread_id is not None:
        query = query.where(runs.c.thread_id == thread_id)
    return list(conn.execute(query).scalars())


def request_cancel(conn: Connection, actor: Actor, agent_id: str, ids: Sequence[str]) -> None:
    """Ask for the end of runs of an agent; those that ended already stay as they are."""
    mine = is_owned(runs, actor) & (runs.c.agent_id == agent_id)
    known = set(conn.execute(select(runs.c.id).where(mine, runs.c.id.in_(ids))).scalars())
    if unknown := [id for id in ids if id not in known]:
        raise RunNotFound(f"run_ids: this agent has no run {', '.join(unknown)}.")
    at_work = (mine, runs.c.id.in_(ids), OPEN)
    conn.execute(update(runs).where(*at_work).values(cancel_requested=True))
    orphaned = conn.execute(
        update(runs)
        .where(*at_work, IS_SILENT)
        .values(status="cancelled", stop_reason="cancelled", completed_at=now(), lease_owner=None)
        .returning(runs.c.id)
    )
    conn.execute(
        update(steps)
        .where(steps.c.run_id.in_(list(orphaned.scalars())), steps.c.status == "pending")
        .values(status="cancelled", stop_reason="cancelled", completed_at=now())
    )


def marked(conn: Connection, lease: Lease, ids: Collection[str]) -> list[str]:
    """Those of our runs that somebody wants to end."""
    query = select(runs.c.id).where(
        runs.c.id.in_(ids), runs.c.cancel_requested, runs.c.lease_owner == lease.owner
    )
    return list(conn.execute(query).scalars())


def statuses(conn: Connection, ids: Sequence[str]) -> dict[str, Status]:
    """How runs stand."""
    found = conn.execute(select(runs.c.id, runs.c.status).where(runs.c.id.in_(ids)))
    return {row.id: row.status for row in found}
