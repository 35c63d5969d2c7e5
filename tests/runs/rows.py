"""Runs and steps as tests make them, and as they are stored."""

from typing import Any

from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.kit.paging import Page
from perdure.runs import store
from perdure.runs.leases import Lease
from perdure.runs.lists import StepFilter, list_steps
from perdure.runs.store import RunRow, StepRow
from perdure.tenancy.actor import Actor

MINE, OTHER = Lease("me:1", 30), Lease("you:1", 30)


def run_of(actor: Actor, agent_id: str, **values: Any) -> RunRow:
    fixed = {"status": "running", "background": False, "created_at": now(), "metadata": {"run_type": "x"}}
    return RunRow(new_id("run"), actor.organization_id, agent_id, agent_id, **{**fixed, **values})


def step_of(run: RunRow, **values: Any) -> StepRow:
    fixed: dict[str, Any] = {
        "provider_name": "scripted",
        "provider_category": "base",
        "model": "m",
        "model_handle": "scripted/m",
        "context_window_limit": 1000,
        "status": "pending",
        "created_at": now(),
    }
    return StepRow(new_id("step"), run.organization_id, run.id, run.agent_id, **{**fixed, **values})


async def stored(db, actor, run) -> RunRow:
    return await db.read(store.get, actor, run.id)


async def steps_of(db, actor, run) -> list[StepRow]:
    return await db.read(list_steps, actor, Page(order="asc"), StepFilter(run_id=run.id))
