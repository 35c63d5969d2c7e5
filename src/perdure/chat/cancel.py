"""Routes: stop what an agent is doing. What was said stays, and the next message works."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.conversations.place import ThreadName, find, thread_of
from perdure.chat.routes import CurrentSender
from perdure.chat.send import Sender
from perdure.kit.errors import Conflict
from perdure.kit.ids import AgentId, RunId
from perdure.kit.paging import Page
from perdure.loop.intake import deny_pending
from perdure.runs.cancel import active_runs, request_cancel, statuses
from perdure.runs.lists import RunFilter, list_runs
from perdure.runs.store import OPEN_STATUSES, Status
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1", tags=["messages"])

PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.02


class CancelRuns(BaseModel):
    """Which runs to stop; without any, whatever the agent is doing."""

    run_ids: Annotated[list[RunId], Field(min_length=1)] | None = None


@router.post("/agents/{agent_id}/messages/cancel")
async def cancel_agent_runs(
    agent_id: AgentId, actor: CurrentActor, sender: CurrentSender, body: CancelRuns | None = None
) -> dict[str, Status]:
    """Stop runs of an agent, and tell how each stands then."""
    db = sender.env.db
    await db.read(agents.get, actor, agent_id)
    if body and body.run_ids:
        return await cancel(sender, actor, agent_id, body.run_ids)
    asked = await db.write(deny_pending, actor, agent_id)
    at_work = await db.read(active_runs, actor, agent_id=agent_id)
    latest = [] if asked or at_work else await db.read(_latest, actor, agent_id)
    return await cancel(sender, actor, agent_id, at_work or latest, asked)


@router.post("/conversations/{conversation_id}/cancel")
async def cancel_conversation_runs(
    conversation_id: ThreadName, actor: CurrentActor, sender: CurrentSender, agent_id: AgentId | None = None
) -> dict[str, Status]:
    """Stop what is going on in a conversation."""
    db = sender.env.db
    place = await db.read(find, actor, thread_of(conversation_id, agent_id))
    asked = await db.write(deny_pending, actor, place.thread_id)
    ids = await db.read(active_runs, actor, agent_id=place.agent.id, thread_id=place.thread_id)
    return await cancel(sender, actor, place.agent.id, ids, asked)


async def cancel(
    sender: Sender, actor: Actor, agent_id: str, ids: Sequence[str], asked: str | None = None
) -> dict[str, Status]:
    """Ask for the end of runs wherever they are worked on, and wait for it.

    `asked` is a run that had stopped to ask for approval and has been denied it already.
    """
    denied: dict[str, Status] = {asked: "cancelled"} if asked else {}
    if not ids and not denied:
        raise Conflict("There is no run to cancel: nothing is going on.")
    db = sender.env.db
    await db.write(request_cancel, actor, agent_id, ids)
    sender.runner.cancel(ids)
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = await db.read(statuses, ids)
        if not set(OPEN_STATUSES).intersection(found.values()) or time.monotonic() > patience:
            return denied | found
        await asyncio.sleep(LOOK_SECONDS)


def _latest(conn: Connection, actor: Actor, agent_id: str) -> list[str]:
    """The latest run, so that a caller who is too late learns how it ended."""
    found = list_runs(conn, actor, Page(limit=1), RunFilter(agent_ids=[agent_id]))
    return [run.id for run in found]
