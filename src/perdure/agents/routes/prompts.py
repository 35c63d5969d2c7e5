"""An agent's compiled system prompt."""

from fastapi import APIRouter

from perdure.agents.compiled import recompile_agent
from perdure.agents.model_facts import describe
from perdure.agents.store import get
from perdure.db import Db
from perdure.kit.ids import AgentId
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor

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
        recompile_agent,
        actor,
        agent_id,
        provider_type=facts[agent.model].provider_type,
        update_timestamp=update_timestamp,
        dry_run=dry_run,
    )
