"""Making a broken history whole for good; the model is told a whole one in any case."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from perdure.agents.conversations.place import DEFAULT, ThreadName, find, thread_of
from perdure.agents.conversations.store import ConversationNotFound
from perdure.chat.routes import CurrentSender
from perdure.chat.schemas import Repaired
from perdure.kit.ids import AgentId
from perdure.loop.repair import Repair, repair
from perdure.messages import store as messages
from perdure.messages.store import Draft
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.leases import Lease
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1/agents/{agent_id}", tags=["agents"])


class RepairMessages(BaseModel):
    """Which history is meant."""

    conversation_id: Annotated[
        ThreadName, Field(description="A conversation's instead of the agent's own.")
    ] = DEFAULT


@router.post("/messages/repair")
async def repair_messages(
    agent_id: AgentId, actor: CurrentActor, sender: CurrentSender, body: RepairMessages | None = None
) -> Repaired:
    """Store what a history lacks: one return for each call, right behind it, and no other."""
    thread_id = thread_of((body or RepairMessages()).conversation_id, agent_id)
    done = await sender.env.db.write(repair_thread, actor, agent_id, thread_id, sender.env.lease)
    return Repaired(
        calls_answered=list(done.answered),
        returns_moved=list(done.moved),
        returns_removed=list(done.removed),
        calls_renamed=list(done.renamed),
    )


def repair_thread(conn: Connection, actor: Actor, agent_id: str, thread_id: str, lease: Lease) -> Repair:
    """Repair a history of the agent; `ThreadBusy` while a run works on it.

    The history is claimed as a run claims it, so that none can begin in between.
    """
    place = find(conn, actor, thread_id)
    if place.agent.id != agent_id:
        raise ConversationNotFound(thread_id)
    held = leases.reserve(conn, actor, agent_id, thread_id, lease)
    thread = messages.get_thread(conn, actor, thread_id)
    rows = messages.context(conn, thread_id)
    repaired = repair(rows)
    if list(repaired.context) != rows:
        made = [said for said in repaired.context if isinstance(said, Draft)]
        thread, added = messages.append(conn, thread, made)
        ids = iter([row.id for row in added])
        context = [next(ids) if isinstance(said, Draft) else said.id for said in repaired.context]
        messages.set_context(conn, thread, context)
    runs.delete_run(conn, actor, held.run_id)
    return repaired
