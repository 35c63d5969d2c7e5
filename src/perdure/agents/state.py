"""From an agent's rows to what clients see."""

from collections.abc import Collection, Sequence
from datetime import datetime

from perdure.agents.compaction import compaction_in_force
from perdure.agents.folders.limits import limits_in
from perdure.agents.folders.wire import wire_file_block
from perdure.agents.groups.schemas import wire_group
from perdure.agents.model_facts import ModelFacts, describe, wire_llm_config, wire_settings
from perdure.agents.parts import ALL, AgentParts, parts_of
from perdure.agents.schemas.agent import AgentSecret, AgentState, Memory
from perdure.db import Database
from perdure.files.schemas import named_config, wire_folder
from perdure.memory.schemas import Block, wire_block
from perdure.messages.pending import Pending
from perdure.messages.render import render
from perdure.messages.schemas import ApprovalRequestMessage
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor
from perdure.tools.rules import parse_rules
from perdure.tools.schemas import tool_of


async def states_of(
    models: Models, actor: Actor, found: Sequence[AgentParts], asked_since: datetime | None = None
) -> list[AgentState]:
    """Agents as clients see them; requests for approval from before `asked_since` have expired."""
    facts = await describe(models, actor, (parts.agent.model for parts in found))
    return [state_of(parts, facts[parts.agent.model], asked_since) for parts in found]


async def read_state(
    db: Database,
    models: Models,
    actor: Actor,
    agent_id: str,
    include: Collection[str] = ALL,
    asked_since: datetime | None = None,
) -> AgentState:
    """One agent as clients see it now, with the relations included."""
    found = await db.read(parts_of, actor, agent_id, include)
    return (await states_of(models, actor, [found], asked_since))[0]


def state_of(parts: AgentParts, facts: ModelFacts, asked_since: datetime | None = None) -> AgentState:
    """An agent as clients see it: what is in force, not only what was named."""
    agent = parts.agent
    blocks = [wire_block(block) for block in parts.blocks]
    secrets = [AgentSecret.model_validate(secret, from_attributes=True) for secret in parts.secrets]
    llm_config = wire_llm_config(agent, facts)
    limits = limits_in(agent, facts.context_window)
    settings = wire_settings(agent, facts)
    group = wire_group(parts.group) if parts.group else None
    return AgentState(
        id=agent.id,
        name=agent.name,
        description=agent.description,
        metadata=agent.metadata,
        agent_type=agent.agent_type,  # type: ignore[arg-type]
        system=agent.system,
        message_ids=parts.message_ids,
        tool_rules=list(parse_rules(agent.tool_rules)),
        model=agent.model,
        embedding=agent.embedding,
        model_settings=settings,
        llm_config=llm_config,
        compaction_settings=compaction_in_force(agent.compaction_settings, agent.model),
        response_format=settings.response_format,
        memory=_memory(parts, blocks, limits.characters),
        blocks=blocks,
        tools=[tool_of(tool) for tool in parts.tools],
        sources=[wire_folder(folder, named_config(folder.embedding)) for folder in parts.folders],
        tags=parts.tags,
        secrets=secrets,
        tool_exec_environment_variables=secrets,
        managed_group=group,
        multi_agent_group=group,
        pending_approval=_request(parts.pending, asked_since),
        project_id=agent.project_id,
        template_id=agent.template_id,
        base_template_id=agent.base_template_id,
        deployment_id=agent.deployment_id,
        entity_id=agent.entity_id,
        message_buffer_autoclear=agent.message_buffer_autoclear,
        enable_sleeptime=agent.enable_sleeptime,
        multitask_strategy=agent.multitask_strategy,  # type: ignore[arg-type]
        last_run_completion=agent.last_run_completion,
        last_run_duration_ms=agent.last_run_duration_ms,
        last_stop_reason=agent.last_stop_reason,  # type: ignore[arg-type]
        timezone=agent.timezone,
        max_files_open=limits.files,
        per_file_view_window_char_limit=limits.characters,
        hidden=agent.hidden,
        created_at=agent.created_at,
        updated_at=agent.updated_at,
        created_by_id=agent.created_by_id,
        last_updated_by_id=agent.last_updated_by_id,
    )


def _memory(parts: AgentParts, blocks: list[Block], most_characters: int) -> Memory:
    """What an agent has in view: its blocks, and what is open of its files."""
    files = [
        wire_file_block(file, parts.texts.get(file.file_id, ""), most_characters) for file in parts.files
    ]
    return Memory(agent_type=parts.agent.agent_type, blocks=blocks, file_blocks=files)  # type: ignore[arg-type]


def _request(pending: Pending | None, asked_since: datetime | None) -> ApprovalRequestMessage | None:
    """The request that waits for an answer, as it was sent."""
    if pending is None or pending.is_expired(asked_since):
        return None
    shown = render(pending.request)
    return next((message for message in shown if isinstance(message, ApprovalRequestMessage)), None)
