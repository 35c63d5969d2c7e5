"""An agent's compiled system prompt, and what else fills its context window."""

from fastapi import APIRouter
from sqlalchemy import Connection

from perdure.agents.compiled import recompile as recompile_prompt
from perdure.agents.context import load_context, overview
from perdure.agents.conversations.place import DEFAULT, Place, find, thread_of
from perdure.agents.conversations.store import ConversationNotFound
from perdure.agents.model_facts import describe, reader_of
from perdure.agents.model_settings import context_window
from perdure.agents.schemas.context import ContextOverview
from perdure.agents.store import get
from perdure.db import Db
from perdure.kit.ids import AgentId
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1/agents/{agent_id}", tags=["agents"])


@router.post("/recompile")
@router.post("/system-prompt/recompile")
async def recompile(
    *,
    agent_id: AgentId,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    dry_run: bool = False,
    update_timestamp: bool = False,
) -> str:
    """Compile the system prompt now; returns the text that was saved, or would be in a dry run.

    This happens by itself whenever something the prompt is made of has changed.
    """
    agent = await db.read(get, actor, agent_id)
    facts = await describe(models, actor, [agent.model])
    return await db.write(
        recompile_prompt,
        agent,
        agent_id,
        reader=reader_of(facts[agent.model]),
        update_timestamp=update_timestamp,
        dry_run=dry_run,
    )


@router.get("/context")
async def context(
    agent_id: AgentId,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    conversation_id: str | None = None,
) -> ContextOverview:
    """What fills the context window of an agent, or of one of its conversations; tokens are estimates."""
    place = await db.read(_place, actor, agent_id, conversation_id)
    agent = place.agent
    facts = (await describe(models, actor, [agent.model]))[agent.model]
    loaded = await db.read(load_context, agent, place.thread_id, reader_of(facts))
    return overview(loaded, context_window(agent.context_window_limit, facts.context_window))


def _place(conn: Connection, actor: Actor, agent_id: str, conversation_id: str | None) -> Place:
    get(conn, actor, agent_id)
    place = find(conn, actor, thread_of(conversation_id or DEFAULT, agent_id))
    if place.agent.id != agent_id:
        raise ConversationNotFound(place.thread_id)
    return place
