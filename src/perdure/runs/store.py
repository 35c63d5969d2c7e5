"""Runs, steps and traces: units of work. Who works on a run is in `leases.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from perdure.db.prepared import Prepared
from perdure.db.rows import fields_of, picked
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.ids import new_id
from perdure.kit.text import storable
from perdure.runs.tables import runs, steps, traces
from perdure.tenancy.actor import Actor, is_owned, one, owned

Status = Literal["created", "running", "completed", "failed", "cancelled"]
INSERT_STEP = Prepared(insert(steps))
UPDATE_STEP = Prepared(update(steps).where(steps.c.id == bindparam("of")))
INSERT_TRACE = Prepared(insert(traces))
OPEN_STATUSES: tuple[Status, ...] = ("created", "running")
COMPLETED = frozenset({"end_turn", "max_steps", "tool_rule", "requires_approval"})


class RunNotFound(NotFound):
    """No such run for this organization."""


class StepNotFound(NotFound):
    """No such step for this organization."""


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
    attempt: int = 1  # how often a process has had it
    crashes: int = 0  # how often a process died while it worked on it


def open_run(
    actor: Actor,
    agent_id: str,
    thread_id: str,
    conversation_id: str | None = None,
    *,
    run_type: str | None = None,
) -> RunRow:
    """A run about to be claimed, in the foreground."""
    return RunRow(
        id=new_id("run"),
        organization_id=actor.organization_id,
        agent_id=agent_id,
        thread_id=thread_id,
        conversation_id=conversation_id,
        status="running",
        background=False,
        created_at=now(),
        metadata={"run_type": run_type} if run_type else None,
    )


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
    aside: bool = False  # taken to make room: it counts towards no limit
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


def insert_step(conn: Connection, step: StepRow) -> None:
    """Note a step."""
    values = {name: getattr(step, name) for name in fields_of(StepRow)}
    INSERT_STEP.later(conn, values | {"tags": list(step.tags)})


def fail_steps(conn: Connection, run_ids: Sequence[str], error_type: str) -> None:
    """End the steps that were being taken."""
    conn.execute(
        update(steps)
        .where(steps.c.run_id.in_(run_ids), steps.c.status == "pending")
        .values(status="failed", stop_reason="error", error_type=error_type, completed_at=now())
    )


def update_step(conn: Connection, step_id: str, **values: Any) -> None:
    """Change fields of a step."""
    UPDATE_STEP.later(conn, {"of": step_id, **storable(values)})


def steps_taken(conn: Connection, run_id: str) -> list[tuple[Tokens, bool]]:
    """What each answered step of a run has cost, and whether it was taken aside."""
    query = select(steps.c.usage, steps.c.aside).where(steps.c.run_id == run_id, steps.c.usage.is_not(None))
    return [(Tokens(**row.usage), row.aside) for row in conn.execute(query)]


def times_so_far(conn: Connection, run_id: str) -> tuple[int, int | None]:
    """Nanoseconds since the first step of an open run, and from there to its first token, if it came."""
    query = select(steps.c.created_at, steps.c.ttft_ns).where(steps.c.run_id == run_id)
    rows = conn.execute(query.order_by(steps.c.created_at, steps.c.id)).all()
    if not rows:
        return 0, None
    first = rows[0].created_at
    heard = next((row for row in rows if row.ttft_ns is not None), None)
    ttft_ns = _ns_between(first, heard.created_at) + heard.ttft_ns if heard else None
    return _ns_between(first, now()), ttft_ns


def _ns_between(first: datetime, then: datetime) -> int:
    return max(0, int((then - first).total_seconds() * 1e9))  # the clocks of two servers may differ


def steps_in_conversation(conn: Connection, run_id: str) -> set[str]:
    """The steps of a run that were not taken aside."""
    return set(conn.execute(select(steps.c.id).where(steps.c.run_id == run_id, ~steps.c.aside)).scalars())


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
    INSERT_TRACE.run_all(conn, kept)
    return [id for id in ids if id not in known]


def get(conn: Connection, actor: Actor, run_id: str) -> RunRow:
    """One run, or `RunNotFound`."""
    row = one(conn, runs, actor, run_id)
    if row is None:
        raise RunNotFound(f"No run {run_id}.")
    return picked(RunRow, row)


def find_run(conn: Connection, run_id: str) -> RunRow | None:
    """A run by its id, for who works with it already; None when it is gone."""
    row = conn.execute(select(runs).where(runs.c.id == run_id)).first()
    return picked(RunRow, row) if row else None


def request_of(conn: Connection, run_id: str) -> Mapping[str, Any] | None:
    """What is kept of the request that a run came from."""
    return conn.execute(select(runs.c.request).where(runs.c.id == run_id)).scalar()


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
