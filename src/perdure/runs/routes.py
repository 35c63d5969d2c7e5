"""Routes: runs and steps, their messages, tokens, times and traces."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import Connection

from perdure.db import Database, Db
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import RunId, StepId
from perdure.kit.paging import MAX_LIMIT, Page, page_query
from perdure.messages import store as messages
from perdure.messages.history import Wanted, list_messages
from perdure.messages.schemas import LettaMessage
from perdure.providers import store as providers
from perdure.runs import lists, store
from perdure.runs.lists import RunFilter, StepFilter
from perdure.runs.schemas import (
    Feedback,
    ProviderTrace,
    Run,
    RunMetrics,
    RunUsage,
    Step,
    StepMetrics,
    completion_details,
    prompt_details,
)
from perdure.runs.spans import spans_of
from perdure.runs.store import OPEN_STATUSES, StepRow, Tokens
from perdure.runs.traces import read_trace
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1", tags=["runs"])

STATUSES = frozenset({"created", "running", "completed", "failed", "cancelled"})
MAX_SPANS = 5000
MESSAGE_TOOL = ("send_message", "message")


@router.get("/runs/")
async def list_runs(
    db: Db,
    actor: CurrentActor,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    agent_id: str | None = None,
    agent_ids: Annotated[list[str] | None, Query()] = None,
    statuses: Annotated[list[str] | None, Query()] = None,
    background: bool | None = None,
    stop_reason: str | None = None,
    conversation_id: str | None = None,
    active: bool = False,
    ascending: Annotated[bool | None, Query(deprecated=True, description="Use `order`.")] = None,
) -> list[Run]:
    """Runs, newest first."""
    unknown = set(statuses or ()) - STATUSES
    if unknown:
        raise InvalidArgument(
            f"statuses: unknown {', '.join(sorted(unknown))}; use some of {', '.join(sorted(STATUSES))}."
        )
    if ascending is not None:
        page = replace(page, order="asc" if ascending else "desc")
    ids = [*(agent_ids or ()), *([agent_id] if agent_id else ())]
    want = RunFilter(
        agent_ids=ids or None,
        statuses=OPEN_STATUSES if active else statuses,
        background=background,
        stop_reason=stop_reason,
        conversation_id=conversation_id,
    )
    return [Run.of(row) for row in await db.read(lists.list_runs, actor, page, want)]


@router.get("/runs/active")
async def list_active_runs(
    db: Db, actor: CurrentActor, agent_id: str | None = None, background: bool | None = None
) -> list[Run]:
    """Runs that have not ended."""
    ids = [agent_id] if agent_id else None
    want = RunFilter(agent_ids=ids, statuses=OPEN_STATUSES, background=background)
    return [Run.of(row) for row in await db.read(lists.list_runs, actor, Page(limit=MAX_LIMIT), want)]


@router.get("/runs/{run_id}")
async def retrieve_run(run_id: RunId, db: Db, actor: CurrentActor) -> Run:
    """One run."""
    return Run.of(await db.read(store.get, actor, run_id))


@router.delete("/runs/{run_id}")
async def delete_run(run_id: RunId, db: Db, actor: CurrentActor) -> Run:
    """Delete a run and its steps; what was said stays."""
    row = await db.read(store.get, actor, run_id)
    if row.status == "running":
        raise InvalidArgument(f"Run {run_id} is still running; wait for it or cancel it first.")
    await db.write(store.delete_run, actor, run_id)
    return Run.of(row)


@router.get("/runs/{run_id}/messages")
async def list_run_messages(
    run_id: RunId, db: Db, actor: CurrentActor, page: Annotated[Page, page_query(limit=100, order="asc")]
) -> list[LettaMessage]:
    """What was said in a run, the input included."""
    await db.read(store.get, actor, run_id)
    return await db.read(list_messages, actor, page, Wanted(run_id=run_id, tool=MESSAGE_TOOL))


@router.get("/runs/{run_id}/steps")
async def list_run_steps(
    run_id: RunId, db: Db, actor: CurrentActor, page: Annotated[Page, page_query(limit=100, order="asc")]
) -> list[Step]:
    """The steps of a run."""
    await db.read(store.get, actor, run_id)
    return await _shown(db, actor, await db.read(lists.list_steps, actor, page, StepFilter(run_id=run_id)))


@router.get("/runs/{run_id}/usage")
async def retrieve_run_usage(run_id: RunId, db: Db, actor: CurrentActor) -> RunUsage:
    """Tokens of a run's steps together."""
    await db.read(store.get, actor, run_id)
    tokens = sum((step.tokens for step in await db.read(_all_steps, actor, run_id)), Tokens())
    return RunUsage(
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        total_tokens=tokens.total,
        prompt_tokens_details=prompt_details(tokens),
        completion_tokens_details=completion_details(tokens),
    )


@router.get("/runs/{run_id}/metrics")
async def retrieve_run_metrics(run_id: RunId, db: Db, actor: CurrentActor) -> RunMetrics:
    """Times of a run, and the tools it used."""
    run = await db.read(store.get, actor, run_id)
    steps = await db.read(_all_steps, actor, run_id)
    called = await db.read(messages.tools_by_step, actor, run_id)
    return RunMetrics(
        id=run.id,
        agent_id=run.agent_id,
        run_start_ns=int(run.created_at.timestamp() * 1e9),
        run_ns=run.total_duration_ns,
        num_steps=len(steps),
        tools_used=sorted({name for names in called.values() for name in names}),
    )


@router.get("/runs/{run_id}/trace")
async def retrieve_run_trace(
    run_id: RunId, db: Db, actor: CurrentActor, limit: Annotated[int, Query(ge=1, le=MAX_SPANS)] = MAX_LIMIT
) -> list[dict[str, Any]]:
    """Where a run's time went, as spans: the run, its steps, their calls of the model and of tools."""
    run = await db.read(store.get, actor, run_id)
    steps = await db.read(_all_steps, actor, run_id)
    return spans_of(run, steps, await db.read(messages.tools_by_step, actor, run_id))[:limit]


def _all_steps(conn: Connection, actor: Actor, run_id: str) -> list[StepRow]:
    return lists.list_steps(conn, actor, Page(limit=MAX_LIMIT, order="asc"), StepFilter(run_id=run_id))


@router.get("/steps/")
async def list_steps(
    db: Db,
    actor: CurrentActor,
    page: Annotated[Page, page_query(limit=50, order="desc")],
    agent_id: str | None = None,
    model: str | None = None,
    run_id: str | None = None,
    feedback: Literal["positive", "negative"] | None = None,
    has_feedback: bool | None = None,
    tags: Annotated[list[str] | None, Query(description="Steps with any of these tags.")] = None,
    start_date: AwareDatetime | None = None,
    end_date: AwareDatetime | None = None,
) -> list[Step]:
    """Steps of all runs, newest first."""
    want = StepFilter(
        agent_id=agent_id,
        model=model,
        run_id=run_id,
        feedback=feedback,
        has_feedback=has_feedback,
        tags=tags,
        start=start_date,
        end=end_date,
    )
    return await _shown(db, actor, await db.read(lists.list_steps, actor, page, want))


@router.get("/steps/{step_id}")
async def retrieve_step(step_id: StepId, db: Db, actor: CurrentActor) -> Step:
    """One step."""
    [step] = await _shown(db, actor, [await db.read(store.get_step, actor, step_id)])
    return step


async def _shown(db: Database, actor: Actor, rows: Sequence[StepRow]) -> list[Step]:
    """Steps, with the ids of the providers that the organization has of its own."""
    own = {row.provider_name for row in rows if row.provider_category == "byok"}
    ids = await db.read(providers.ids_by_name, actor, own) if own else {}
    return [Step.of(row, ids.get(row.provider_name)) for row in rows]


@router.get("/steps/{step_id}/messages")
async def list_step_messages(
    step_id: StepId, db: Db, actor: CurrentActor, page: Annotated[Page, page_query(limit=100, order="asc")]
) -> list[LettaMessage]:
    """What was said in a step."""
    await db.read(store.get_step, actor, step_id)
    return await db.read(list_messages, actor, page, Wanted(step_id=step_id, tool=MESSAGE_TOOL))


@router.get("/steps/{step_id}/metrics")
async def retrieve_step_metrics(step_id: StepId, db: Db, actor: CurrentActor) -> StepMetrics:
    """Times of a step."""
    row = await db.read(store.get_step, actor, step_id)
    [step] = await _shown(db, actor, [row])
    return StepMetrics(
        id=row.id,
        agent_id=row.agent_id,
        run_id=row.run_id,
        provider_id=step.provider_id,
        step_start_ns=row.started_ns,
        llm_request_start_ns=row.started_ns,
        llm_request_ns=row.model_ns,
        tool_execution_ns=row.tools_ns,
        step_ns=row.step_ns,
    )


@router.get("/steps/{step_id}/trace")
async def retrieve_step_trace(step_id: StepId, db: Db, actor: CurrentActor) -> ProviderTrace:
    """The raw exchange with the provider."""
    return await _trace(db, actor, step_id)


@router.get("/telemetry/{step_id}")
async def retrieve_telemetry(step_id: StepId, db: Db, actor: CurrentActor) -> ProviderTrace:
    """The same as a step's trace."""
    return await _trace(db, actor, step_id)


async def _trace(db: Db, actor: Actor, step_id: str) -> ProviderTrace:
    await db.read(store.get_step, actor, step_id)
    row = await db.read(store.trace_of, actor, step_id)
    if row is None:
        raise NotFound(f"No trace of step {step_id} was kept; see PERDURE_RUNS_TRACE.")
    return read_trace(row)


@router.patch("/steps/{step_id}/feedback")
async def give_feedback(step_id: StepId, body: Feedback, db: Db, actor: CurrentActor) -> Step:
    """Say what you think of a step."""
    values: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    [step] = await _shown(db, actor, [await db.write(store.give_feedback, actor, step_id, values)])
    return step
