"""Runs and steps: units of work.

A running run holds a lease on its thread. Who loses the lease loses the run: every write of a
run names its owner (`fenced`), so a process that was thought dead cannot write into a history
that another has taken over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from perdure.db.rows import fields_of, picked
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound, Unavailable
from perdure.kit.ids import new_id
from perdure.kit.text import storable
from perdure.runs.tables import runs, steps, traces
from perdure.tenancy.actor import Actor, is_owned, one, owned

Status = Literal["created", "running", "completed", "failed", "cancelled"]
# Statements of the hot path are built once: building one costs about as much as running it.
INSERT_RUN = insert(runs)
INSERT_STEP = insert(steps)
INSERT_TRACE = insert(traces)
# Updates without values take them from the parameters: built once, they cost a tenth.
UPDATE_STEP = update(steps).where(steps.c.id == bindparam("of"))
UPDATE_HELD = update(runs).where(
    runs.c.id == bindparam("of"), runs.c.status == "running", runs.c.lease_owner == bindparam("owner")
)
SELECT_RUNNING = select(runs.c.id, runs.c.lease_expires).where(
    runs.c.thread_id == bindparam("thread_id"), runs.c.status == "running"
)
COMPLETED = frozenset({"end_turn", "max_steps", "tool_rule", "requires_approval"})
BUSY = (
    "Cannot send a new message: another request is currently being processed for this conversation. "
    "Wait for it to finish, or cancel it."
)


class RunNotFound(NotFound):
    """No such run for this organization."""


class StepNotFound(NotFound):
    """No such step for this organization."""


class ThreadBusy(Conflict):
    """Another run is writing this history."""

    def __init__(self, run_id: str):
        super().__init__(BUSY, run_id=run_id)


class LeaseLost(Unavailable):
    """Another process took the run over."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a run, and for how long before it must say that it is still there."""

    owner: str
    seconds: float

    def expires(self) -> datetime:
        return now() + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a step, or of a run's steps together; null where unreported."""

    prompt: int = 0
    completion: int = 0
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt + other.prompt,
            self.completion + other.completion,
            _sum(self.cached, other.cached),
            _sum(self.cache_write, other.cache_write),
            _sum(self.reasoning, other.reasoning),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One request and its work."""

    id: str
    organization_id: str
    agent_id: str
    thread_id: str
    status: Status
    background: bool
    created_at: datetime
    conversation_id: str | None = None
    stop_reason: str | None = None
    metadata: Mapping[str, Any] | None = None
    request_config: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    ttft_ns: int | None = None
    total_duration_ns: int | None = None
    completed_at: datetime | None = None
    callback_url: str | None = None
    callback_due: datetime | None = None
    callback_sent_at: datetime | None = None
    callback_status_code: int | None = None
    callback_error: str | None = None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One call of a model and the tools it called."""

    id: str
    organization_id: str
    run_id: str
    agent_id: str
    provider_name: str
    provider_category: str
    model: str
    model_handle: str
    context_window_limit: int
    status: Literal["pending", "success", "failed", "cancelled"]
    created_at: datetime
    model_endpoint: str | None = None
    stop_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    error_type: str | None = None
    error_data: Mapping[str, Any] | None = None
    feedback: Literal["positive", "negative"] | None = None
    tags: Sequence[str] = field(default_factory=tuple[str, ...])
    model_ns: int | None = None
    tools_ns: int | None = None
    ttft_ns: int | None = None
    started_ns: int | None = None
    step_ns: int | None = None
    completed_at: datetime | None = None

    @property
    def tokens(self) -> Tokens:
        return Tokens(**self.usage or {})


@dataclass(frozen=True, slots=True)
class TraceRow:
    """The raw exchange of a step with its provider; the bytes are zlib streams."""

    organization_id: str
    step_id: str
    url: str
    status: int | None
    request: bytes
    response: bytes


def status_of(stop_reason: str) -> Status:
    """How a run that stopped for this reason ended."""
    if stop_reason == "cancelled":
        return "cancelled"
    return "completed" if stop_reason in COMPLETED else "failed"


def claim(conn: Connection, run: RunRow, lease: Lease) -> None:
    """Insert a run already running under a lease; `ThreadBusy` while another one is.

    A running run whose lease has expired died with its process: it is closed here.
    """
    other = conn.execute(SELECT_RUNNING, {"thread_id": run.thread_id}).first()
    if other:
        if other.lease_expires and other.lease_expires > now():
            raise ThreadBusy(other.id)
        abandon(conn, [other.id])
    values = {name: getattr(run, name) for name in fields_of(RunRow)}
    values["request_config"] = storable(values["request_config"])
    held = {"lease_owner": lease.owner, "lease_expires": lease.expires(), "attempt": 1}
    conn.execute(INSERT_RUN, values | held)


def abandon(conn: Connection, ids: Sequence[str]) -> None:
    """Close runs whose process died, unless they ended after all: they failed, and say why."""
    error = {
        "error_type": "internal_error",
        "message": "The server stopped while it worked on this run.",
    }
    closed = conn.execute(
        update(runs)
        .where(runs.c.id.in_(ids), runs.c.status == "running")
        .values(status="failed", stop_reason="error", error=error, completed_at=now(), lease_owner=None)
        .returning(runs.c.id)
    )
    _fail_steps(conn, list(closed.scalars()), "interrupted")


def _fail_steps(conn: Connection, run_ids: Sequence[str], error_type: str) -> None:
    """End the steps that were being taken."""
    conn.execute(
        update(steps)
        .where(steps.c.run_id.in_(run_ids), steps.c.status == "pending")
        .values(status="failed", stop_reason="error", error_type=error_type, completed_at=now())
    )


def abandon_owned(conn: Connection, owner_prefix: str) -> int:
    """Close the running runs of an earlier life of this server; returns how many."""
    query = select(runs.c.id).where(
        runs.c.status == "running", runs.c.lease_owner.startswith(owner_prefix, autoescape=True)
    )
    ids = list(conn.execute(query).scalars())
    if ids:
        abandon(conn, ids)
    return len(ids)


def renew(conn: Connection, lease: Lease, ids: Sequence[str]) -> set[str]:
    """Extend the lease of these runs; returns those still owned."""
    renewed = conn.execute(
        update(runs)
        .where(runs.c.id.in_(ids), runs.c.status == "running", runs.c.lease_owner == lease.owner)
        .values(lease_expires=lease.expires())
        .returning(runs.c.id)
    )
    return set(renewed.scalars())


def _write_held(conn: Connection, run_id: str, lease: Lease, values: Mapping[str, Any]) -> None:
    """Change a run if it is still ours; `LeaseLost` if not."""
    if conn.execute(UPDATE_HELD, {"of": run_id, "owner": lease.owner, **values}).rowcount != 1:
        raise LeaseLost(f"Run {run_id} is no longer owned by this server.")


def hold(conn: Connection, run_id: str, lease: Lease) -> None:
    """Make sure the run is still ours, in the transaction that writes for it."""
    _write_held(conn, run_id, lease, {"lease_expires": lease.expires()})


def finish(
    conn: Connection,
    run_id: str,
    lease: Lease,
    *,
    stop_reason: str,
    usage: Mapping[str, Any],
    error: Mapping[str, Any] | None = None,
    ttft_ns: int | None = None,
    total_duration_ns: int | None = None,
) -> None:
    """End a run for good; `LeaseLost` if it is not ours any more."""
    done = {
        "status": status_of(stop_reason),
        "stop_reason": stop_reason,
        "usage": dict(usage),
        "error": storable(dict(error)) if error else None,
        "ttft_ns": ttft_ns,
        "total_duration_ns": total_duration_ns,
        "completed_at": now(),
        "lease_owner": None,
        "lease_expires": None,
    }
    _write_held(conn, run_id, lease, done)


def break_off(conn: Connection, run_id: str, lease: Lease, *, error: Mapping[str, Any]) -> None:
    """End a run that broke, with the step it was at; `LeaseLost` if it is not ours any more."""
    finish(conn, run_id, lease, stop_reason="error", usage={}, error=error)
    _fail_steps(conn, [run_id], error["error_type"])


def insert_step(conn: Connection, step: StepRow) -> None:
    """Note a step."""
    values = {name: getattr(step, name) for name in fields_of(StepRow)}
    conn.execute(INSERT_STEP, values | {"tags": list(step.tags)})


def update_step(conn: Connection, step_id: str, **values: Any) -> None:
    """Change fields of a step."""
    conn.execute(UPDATE_STEP, {"of": step_id, **storable(values)})


def save_traces(conn: Connection, rows: Sequence[TraceRow]) -> list[str]:
    """Keep raw exchanges; returns the steps that are gone by now, whose exchanges are left out."""
    ids = [row.step_id for row in rows]
    known = set(conn.execute(select(steps.c.id).where(steps.c.id.in_(ids))).scalars())
    made = now()
    kept = [
        {"id": new_id("provider_trace"), "created_at": made, **asdict(row)}
        for row in rows
        if row.step_id in known
    ]
    if kept:
        conn.execute(INSERT_TRACE, kept)
    return [id for id in ids if id not in known]


def get(conn: Connection, actor: Actor, run_id: str) -> RunRow:
    """One run, or `RunNotFound`."""
    row = one(conn, runs, actor, run_id)
    if row is None:
        raise RunNotFound(f"No run {run_id}.")
    return picked(RunRow, row)


def delete_run(conn: Connection, actor: Actor, run_id: str) -> None:
    """Delete a run and its steps; its messages stay."""
    if not conn.execute(delete(runs).where(is_owned(runs, actor), runs.c.id == run_id)).rowcount:
        raise RunNotFound(f"No run {run_id}.")


def get_step(conn: Connection, actor: Actor, step_id: str) -> StepRow:
    """One step, or `StepNotFound`."""
    row = one(conn, steps, actor, step_id)
    if row is None:
        raise StepNotFound(f"No step {step_id}.")
    return picked(StepRow, row)


def trace_of(conn: Connection, actor: Actor, step_id: str) -> Row[Any] | None:
    """The raw exchange of a step, if it was kept."""
    return conn.execute(owned(traces, actor).where(traces.c.step_id == step_id)).first()


def give_feedback(conn: Connection, actor: Actor, step_id: str, values: Mapping[str, Any]) -> StepRow:
    """Set the feedback or tags of a step."""
    step = get_step(conn, actor, step_id)
    if values:
        update_step(conn, step_id, **values)
    return get_step(conn, actor, step.id)
