"""Who works on a run: claims, the queue of a thread, leases. Units of work.

An open run is `created` (it waits for its thread) or `running`; one process holds it, by a lease
that it keeps renewing. Who loses the lease loses the run: every write of a run names its holder and
the attempt, so a process that was thought dead cannot write into a history that another went on with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from perdure.db.clock import present, seconds_from_now
from perdure.db.prepared import Prepared
from perdure.db.rows import fields_of, picked
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, Unavailable
from perdure.kit.text import storable
from perdure.runs.frames import next_attempt
from perdure.runs.store import RunRow, Status, fail_steps, open_run, status_of
from perdure.runs.tables import runs
from perdure.tenancy.actor import Actor

BUSY = (
    "Cannot send a new message: another request is currently being processed for this conversation. "
    "Wait for it to finish, or cancel it."
)
# As text, so that both databases see that the partial index applies.
OPEN: ColumnElement[Any] = literal_column("runs.status IN ('created', 'running')")
AT_WORK = case((runs.c.status == "running", 1), else_=0)  # a run in line cannot be what killed anything
IS_SILENT = runs.c.lease_expires <= present()
EXPIRY = seconds_from_now("lease_seconds")
INSERT_RUN = Prepared(insert(runs).values(lease_expires=EXPIRY))
SELECT_OPEN = Prepared(
    select(runs.c.id, runs.c.status, runs.c.attempt, IS_SILENT.label("silent"))
    .where(runs.c.thread_id == bindparam("thread_id"), OPEN)
    .order_by(runs.c.created_at)
)
THIS_HELD = (
    runs.c.id == bindparam("of"),
    OPEN,
    runs.c.lease_owner == bindparam("holder"),
    runs.c.attempt == bindparam("trial"),
)
UPDATE_HELD = Prepared(update(runs).where(*THIS_HELD))
RENEW_HELD = Prepared(update(runs).where(*THIS_HELD).values(lease_expires=EXPIRY))


class LeaseLost(Unavailable):
    """Another process took the run over, or it has ended."""


class QueueFull(Conflict):
    """Too many requests wait for this thread already."""


class ThreadBusy(Conflict):
    """Another run is writing this history, or waits to.

    `recovering`: nobody listens to that run any more; it only ends what a crash interrupted.
    """

    def __init__(self, run_id: str, *, recovering: bool = False):
        super().__init__(BUSY, run_id=run_id)
        self.run_id = run_id
        self.recovering = recovering


@dataclass(frozen=True, slots=True)
class Lease:
    """A process, and for how long it holds runs before it must say that it is still there.

    Leases are measured by the database's clock: those of the processes may differ.
    """

    owner: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """A run held under a lease, for the n-th attempt at it."""

    run_id: str
    lease: Lease
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Taken:
    """A run taken over from a process that is gone, and the request it came from."""

    run: RunRow
    hold: Hold
    request: Mapping[str, Any] | None
    cancel_requested: bool
    after: int = 0  # the number its frames count on from


def claim(
    conn: Connection,
    run: RunRow,
    lease: Lease,
    request: Mapping[str, Any] | None = None,
    *,
    ahead: bool = False,
) -> None:
    """Insert a run already running; `ThreadBusy` while another one is, or waits (unless `ahead` of those)."""
    found = _open_in(conn, run.thread_id)
    other = _first(found) if found else None
    if other and (other.status == "running" or not ahead):
        raise ThreadBusy(other.id, recovering=other.attempt > 1 or other.silent)
    _insert(conn, run, lease, request)


def reserve(conn: Connection, actor: Actor, agent_id: str, thread_id: str, lease: Lease) -> Hold:
    """Claim a thread for work on its history that is no turn; `ThreadBusy` while a run has it.

    `store.delete_run` gives it back.
    """
    claimed = open_run(actor, agent_id, thread_id)
    claim(conn, claimed, lease)
    return Hold(claimed.id, lease)


def enqueue(conn: Connection, run: RunRow, lease: Lease, request: Mapping[str, Any], *, limit: int) -> None:
    """Insert a run that waits for its thread; `QueueFull` when `limit` others wait."""
    waiting = select(func.count()).where(runs.c.thread_id == run.thread_id, runs.c.status == "created", OPEN)
    if conn.execute(waiting).scalar_one() >= limit:
        raise QueueFull(f"{limit} messages wait for this conversation already; send this one later.")
    _insert(conn, run, lease, request)


def _insert(conn: Connection, run: RunRow, lease: Lease, request: Mapping[str, Any] | None) -> None:
    values = {name: getattr(run, name) for name in fields_of(RunRow)}
    values["request_config"] = storable(values["request_config"])
    held = {"lease_owner": lease.owner, "lease_seconds": lease.seconds, "request": storable(request)}
    INSERT_RUN.run(conn, values | held)


def waiting_with(conn: Connection, thread_id: str, otids: Sequence[str]) -> str | None:
    """The run that waits in a thread to say messages with just these otids."""
    waiting = select(runs.c.id, runs.c.request).where(runs.c.thread_id == thread_id, OPEN)
    for row in conn.execute(waiting.where(runs.c.status == "created")):
        request: Mapping[str, Any] = row.request or {}
        if [draft.get("otid") for draft in request.get("drafts", ())] == list(otids):
            return row.id
    return None


def is_next(conn: Connection, thread_id: str, run_id: str) -> bool:
    """Whether the thread is free and this run the first of those that wait for it.

    `LeaseLost` where it does not wait any more: it was ended by another, or deleted.
    """
    found = _open_in(conn, thread_id)
    if all(run.id != run_id for run in found):
        raise LeaseLost(f"Run {run_id} does not wait any more: it was ended, or deleted.")
    return _first(found).id == run_id


def at_work(conn: Connection, thread_id: str) -> str | None:
    """The run that has a thread now."""
    return next((run.id for run in _open_in(conn, thread_id) if run.status == "running"), None)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """What is to be known of a run that has a thread or waits for it."""

    id: str
    status: Status
    attempt: int
    silent: bool


def _open_in(conn: Connection, thread_id: str) -> list[OpenRun]:
    """The run at work in a thread and those in line for it, in the order they came."""
    return [OpenRun(*row) for row in SELECT_OPEN.all(conn, {"thread_id": thread_id})]


def _first(found: Sequence[OpenRun]) -> OpenRun:
    """The run at work, else the first in line."""
    return next((run for run in found if run.status == "running"), found[0])


def start(conn: Connection, thread_id: str, held: Hold) -> bool:
    """Begin a run that waited, if it is its turn; `LeaseLost` if it is not ours any more."""
    if not is_next(conn, thread_id, held.run_id):
        keep(conn, held)
        return False
    _write_held(conn, held, {"status": "running"}, renew=True)
    return True


def forget_input(conn: Connection, held: Hold, request: Mapping[str, Any]) -> None:
    """Keep of a request only this: its input is stored as messages now."""
    _write_held(conn, held, {"request": storable(request)})


def renew(conn: Connection, lease: Lease, ids: Sequence[str]) -> set[str]:
    """Extend the lease of these runs; returns those still held."""
    renewed = conn.execute(
        update(runs)
        .where(runs.c.id.in_(ids), OPEN, runs.c.lease_owner == lease.owner)
        .values(lease_expires=EXPIRY)
        .returning(runs.c.id),
        {"lease_seconds": lease.seconds},
    )
    return set(renewed.scalars())


def release(conn: Connection, lease: Lease, ids: Sequence[str]) -> None:
    """Let others take these runs over at once; that they do so is not told as a crash."""
    conn.execute(
        update(runs)
        .where(runs.c.id.in_(ids), OPEN, runs.c.lease_owner == lease.owner)
        .values(lease_expires=present(), crashes=runs.c.crashes - AT_WORK)
    )


def has_orphans(conn: Connection) -> bool:
    """Whether there is a run whose process went silent."""
    silent = select(runs.c.id).where(OPEN, IS_SILENT).limit(1)
    return conn.execute(silent).first() is not None


def take_over(
    conn: Connection, lease: Lease, *, earlier: str | None = None, limit: int = 1000
) -> list[Taken]:
    """Take over open runs whose process went silent, oldest first.

    `earlier` begins the owners of an earlier life of this very server: they are known to be gone.
    """
    gone: ColumnElement[bool] = IS_SILENT
    if earlier:
        ours = runs.c.lease_owner.startswith(earlier, autoescape=True) & (runs.c.lease_owner != lease.owner)
        gone = or_(gone, ours)
    oldest = select(runs.c.id).where(OPEN, gone).order_by(runs.c.created_at).limit(limit)
    taken = conn.execute(
        update(runs)
        .where(runs.c.id.in_(list(conn.execute(oldest).scalars())), OPEN, gone)
        .values(
            lease_owner=lease.owner,
            lease_expires=EXPIRY,
            attempt=runs.c.attempt + 1,
            crashes=runs.c.crashes + AT_WORK,
        )
        .returning(*runs.c),
        {"lease_seconds": lease.seconds},
    )
    rows = sorted(taken, key=lambda row: row.created_at)
    return [
        Taken(
            picked(RunRow, row),
            Hold(row.id, lease, row.attempt),
            row.request,
            row.cancel_requested,
            next_attempt(conn, row.id),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended."""

    stop_reason: str
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: Mapping[str, str] | None = None
    ttft_ns: int | None = None
    total_duration_ns: int | None = None


def keep(conn: Connection, held: Hold) -> None:
    """Make sure the run is still ours, in the transaction that writes for it."""
    _write_held(conn, held, {}, renew=True)


def finish(conn: Connection, held: Hold, end: RunEnd) -> None:
    """End a run for good; `LeaseLost` if it is not ours any more."""
    done = {
        "status": status_of(end.stop_reason),
        "stop_reason": end.stop_reason,
        "usage": dict(end.usage),
        "error": storable(dict(end.error)) if end.error else None,
        "ttft_ns": end.ttft_ns,
        "total_duration_ns": end.total_duration_ns,
        "completed_at": now(),
        "lease_owner": None,
        "lease_expires": None,
    }
    _write_held(conn, held, done)


def break_off(conn: Connection, held: Hold, error: Mapping[str, str]) -> None:
    """End a run that broke, with the step it was at; `LeaseLost` if it is not ours any more."""
    finish(conn, held, RunEnd("error", error=error))
    fail_steps(conn, [held.run_id], error["error_type"])


def _write_held(conn: Connection, held: Hold, values: Mapping[str, Any], *, renew: bool = False) -> None:
    """Change a run if it is still ours; `LeaseLost` if not."""
    known = {"of": held.run_id, "holder": held.lease.owner, "trial": held.attempt, **values}
    lost = LeaseLost(f"Run {held.run_id} is no longer worked on by this server.")
    if renew:
        RENEW_HELD.later(conn, known | {"lease_seconds": held.lease.seconds}, or_else=lost)
    else:
        UPDATE_HELD.later(conn, known, or_else=lost)
