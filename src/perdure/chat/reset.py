"""Emptying an agent's view of its history; nothing is deleted."""

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from perdure.agents import boot
from perdure.agents import store as agents
from perdure.agents.compiled import recompile
from perdure.agents.model_facts import describe, reader_of
from perdure.agents.prompt import Reader
from perdure.agents.schemas.agent import AgentState
from perdure.agents.state import read_state
from perdure.chat.routes import CurrentSender
from perdure.db import Db
from perdure.kit.clock import now
from perdure.kit.ids import AgentId
from perdure.loop.intake import deny_pending
from perdure.messages import store as messages
from perdure.providers.catalog import CurrentModels
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.leases import Lease
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1/agents/{agent_id}", tags=["agents"])


class ResetMessagesRequest(BaseModel):
    """What to begin with again."""

    add_default_initial_messages: bool = Field(
        False, description="Say again what an agent of this type begins with (older types only)."
    )


@router.patch("/reset-messages")
async def reset_messages(
    agent_id: AgentId,
    body: ResetMessagesRequest,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    sender: CurrentSender,
) -> AgentState | None:
    """Leave only the system message in context, compiled anew. What was said stays stored and searchable.

    Calls that wait for approval are denied: nobody could answer them any more.
    """
    agent = await db.read(agents.get, actor, agent_id)
    facts = await describe(models, actor, [agent.model])
    await db.write(
        reset,
        actor,
        agent_id,
        sender.env.lease,
        reader=reader_of(facts[agent.model]),
        greet=body.add_default_initial_messages,
    )
    return await read_state(db, models, actor, agent_id)


def reset(
    conn: Connection, actor: Actor, agent_id: str, lease: Lease, *, reader: Reader, greet: bool
) -> None:
    """Empty the context; `ThreadBusy` while a run works on it.

    The history is claimed as a run claims it, so that none can begin in between.
    """
    agent = agents.get(conn, actor, agent_id)
    held = leases.reserve(conn, actor, agent_id, agent_id, lease)
    deny_pending(conn, actor, agent_id)
    thread = messages.get_thread(conn, actor, agent_id)
    messages.set_context(conn, thread, [thread.prompt_message_id])
    if greet:
        first = boot.first_messages(agent.agent_type, None, now(), agent.timezone)
        messages.append(conn, messages.get_thread(conn, actor, agent_id), first)
    recompile(conn, agent, agent_id, reader=reader, update_timestamp=True)
    runs.delete_run(conn, actor, held.run_id)
