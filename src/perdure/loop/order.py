"""What a turn is given: the long-lived things it needs, and what it is asked to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from perdure.agents import links
from perdure.agents.facts import Facts
from perdure.content.parts import calls_of
from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.loop.measure import Calibration
from perdure.loop.settings import SummarySettings
from perdure.loop.state import TurnState
from perdure.loop.traces import TraceLog
from perdure.providers.base import ToolSpec
from perdure.providers.entries import ResolvedModel
from perdure.runs.leases import Lease
from perdure.runs.store import RunRow, StepRow
from perdure.tenancy.actor import Actor
from perdure.tools.base import ToolContext
from perdure.tools.dispatch import Dispatcher

Resolve = Callable[[Actor, str], Awaitable[ResolvedModel]]


@dataclass(frozen=True, slots=True)
class Environment:
    """The long-lived things a turn needs."""

    db: Database
    dispatcher: Dispatcher
    lease: Lease
    facts: Facts
    traces: TraceLog | None = None
    approval_limit: timedelta | None = None
    resolve: Resolve | None = None  # without it nothing but a turn's own model writes summaries
    summaries: SummarySettings = field(default_factory=SummarySettings)
    calibration: Calibration = field(default_factory=Calibration)

    def asked_since(self) -> datetime | None:
        """The moment from which on requests for approval count; older ones have expired. None means ever."""
        return now() - self.approval_limit if self.approval_limit else None


@dataclass(frozen=True, slots=True)
class Order:
    """What a turn is asked to do, fixed for its whole length."""

    run: RunRow
    model: ResolvedModel
    max_steps: int
    system: str | None = None
    client_tools: tuple[ToolSpec, ...] = ()
    skills: str = ""


def new_step(run: RunRow, model: ResolvedModel, context_window: int) -> StepRow:
    """A step about to be taken."""
    started = now()
    return StepRow(
        id=new_id("step"),
        organization_id=run.organization_id,
        run_id=run.id,
        agent_id=run.agent_id,
        provider_name=model.provider_name,
        provider_category=model.provider_category,
        model=model.model,
        model_handle=model.handle,
        model_endpoint=model.endpoint_url,
        context_window_limit=context_window,
        status="pending",
        created_at=started,
        started_ns=int(started.timestamp() * 1e9),
    )


def done(
    step: StepRow, status: Literal["success", "failed", "cancelled"], reason: str | None = None
) -> StepRow:
    """A step that was taken."""
    at = now()
    spent = max(0, int((at - step.created_at).total_seconds() * 1e9))  # clocks are set back
    return replace(step, status=status, stop_reason=reason, completed_at=at, step_ns=spent)


def tool_context(env: Environment, state: TurnState, run: RunRow, step: StepRow) -> ToolContext:
    """What the tools of a step know of their caller."""
    return ToolContext(
        db=env.db,
        actor=state.actor,
        agent_id=state.agent.id,
        thread_id=state.thread.id,
        run_id=run.id,
        step_id=step.id,
        message_id=next((row.id for row in reversed(state.context) if calls_of(row.parts)), ""),
        timezone=state.agent.timezone,
        project_id=state.agent.project_id,
        blocks=links,
        facts=env.facts,
        asked_at=step.created_at,
    )
