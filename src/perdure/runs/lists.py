"""Which runs and steps a list shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, Text, cast, or_

from perdure.db.rows import picked
from perdure.db.schema import json_text
from perdure.kit.paging import Page, paginate
from perdure.runs.store import RunRow, StepRow
from perdure.runs.tables import runs, steps
from perdure.tenancy.actor import Actor, owned

ALIKE = ("background", "stop_reason", "conversation_id", "thread_id")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; None means any."""

    agent_ids: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    background: bool | None = None
    stop_reason: str | None = None
    conversation_id: str | None = None
    thread_id: str | None = None


def list_runs(conn: Connection, actor: Actor, page: Page, want: RunFilter) -> list[RunRow]:
    """Runs, a page of them."""
    query = _equal(owned(runs, actor), runs, want, ALIKE)
    if want.agent_ids is not None:
        query = query.where(runs.c.agent_id.in_(want.agent_ids))
    if want.statuses is not None:
        query = query.where(runs.c.status.in_(want.statuses))
    return [picked(RunRow, row) for row in paginate(conn, query, page, key=runs.c.created_at, id=runs.c.id)]


@dataclass(frozen=True, slots=True)
class StepFilter:
    """Which steps to list; None means any."""

    run_id: str | None = None
    agent_id: str | None = None
    model: str | None = None
    feedback: str | None = None
    has_feedback: bool | None = None
    tags: Sequence[str] | None = None
    start: datetime | None = None
    end: datetime | None = None


def list_steps(conn: Connection, actor: Actor, page: Page, want: StepFilter) -> list[StepRow]:
    """Steps, a page of them."""
    query = _equal(owned(steps, actor), steps, want, ("run_id", "agent_id", "model", "feedback"))
    if want.has_feedback is not None:
        query = query.where(
            steps.c.feedback.is_not(None) if want.has_feedback else steps.c.feedback.is_(None)
        )
    if want.tags is not None:
        text = cast(steps.c.tags, Text)  # a tag between its quotes stands nowhere else in a list of strings
        query = query.where(or_(*(text.contains(json_text(tag), autoescape=True) for tag in want.tags)))
    if want.start is not None:
        query = query.where(steps.c.created_at >= want.start)
    if want.end is not None:
        query = query.where(steps.c.created_at < want.end)
    return [
        picked(StepRow, row) for row in paginate(conn, query, page, key=steps.c.created_at, id=steps.c.id)
    ]


def _equal(
    query: Select[Any], table: Table, want: RunFilter | StepFilter, names: Sequence[str]
) -> Select[Any]:
    """Only rows whose columns have the values asked for, where one is."""
    asked = {name: getattr(want, name) for name in names}
    return query.where(*(table.c[name] == value for name, value in asked.items() if value is not None))
