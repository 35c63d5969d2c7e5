"""Create an agent: everything is checked first, then stored in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from perdure.agents import boot, links, secrets, store
from perdure.agents.base_tools import (
    BASE_TOOLS,
    MULTI_AGENT_TOOLS,
    approval_rules,
    base_rules,
    stored_rules,
    wants_base_rules,
    with_rules,
)
from perdure.agents.compiled import circumstances, composed, made_of_stored
from perdure.agents.folder_links import set_folders
from perdure.agents.folders.limits import limits_in
from perdure.agents.model_choice import ChosenModel, choose_embedding, choose_model
from perdure.agents.names import random_name
from perdure.agents.prompt import Reader, fingerprint
from perdure.agents.schemas.create import CreateAgent
from perdure.agents.schemas.messages import FirstMessage
from perdure.agents.secrets import SealedSecret
from perdure.agents.stock_prompts import DESCRIPTIONS, PROMPTS
from perdure.agents.store import AgentRow
from perdure.agents.tags import kept_tags, makes_hidden
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument, NotFound, Unprocessable
from perdure.kit.ids import new_id
from perdure.memory.schemas import CreateBlock
from perdure.memory.store import create as create_block
from perdure.messages import store as messages
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor
from perdure.tools import store as tools
from perdure.tools.store import ToolRow


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent that has been checked as far as that is possible without the database."""

    row: AgentRow
    reader: Reader
    tags: tuple[str, ...]
    secrets: Sequence[SealedSecret]
    blocks: Sequence[CreateBlock]
    block_ids: Sequence[str]
    base_tools: tuple[str, ...]
    tools: Sequence[str]
    tool_ids: Sequence[str]
    folder_ids: Sequence[str]
    base_tool_rules: bool | None
    first_messages: Sequence[FirstMessage] | None


async def plan_agent(
    models: Models, actor: Actor, body: CreateAgent, sealed: Sequence[SealedSecret]
) -> NewAgent:
    """Check a request and find its models; raises before anything is stored."""
    check(body)
    chosen = await choose_model(models, actor, body)
    embedding = await choose_embedding(models, actor, body)
    base = BASE_TOOLS[body.agent_type] if body.include_base_tools else ()
    return NewAgent(
        row=_row(actor, body, chosen, embedding),
        reader=Reader(chosen.provider_type, chosen.context_window),
        tags=kept_tags(body.tags or ()),
        secrets=sealed,
        blocks=body.memory_blocks or (),
        block_ids=body.block_ids or (),
        base_tools=base + (MULTI_AGENT_TOOLS if body.include_multi_agent_tools else ()),
        tools=body.tools or (),
        tool_ids=body.tool_ids or (),
        folder_ids=body.folder_ids or body.source_ids or (),
        base_tool_rules=body.include_base_tool_rules,
        first_messages=body.initial_message_sequence,
    )


def check(body: CreateAgent) -> None:
    """What is wrong with a request by itself."""
    if body.agent_type == "split_thread_agent":
        raise InvalidArgument("agent_type: split_thread_agent cannot be created; use letta_v1_agent.")
    if body.agent_type == "voice_convo_agent" and not body.enable_sleeptime:
        raise Unprocessable("agent_type: voice_convo_agent needs enable_sleeptime: true.")
    labels = [block.label for block in body.memory_blocks or ()]
    if doubles := sorted({label for label in labels if labels.count(label) > 1}):
        raise Unprocessable(f"memory_blocks: several are labelled {', '.join(doubles)}; labels must differ.")
    if body.max_tokens and body.max_reasoning_tokens and body.max_reasoning_tokens >= body.max_tokens:
        raise InvalidArgument("max_reasoning_tokens must be less than max_tokens.")
    if body.identity_ids:
        raise NotFound(f"identity_ids: there is no {', '.join(body.identity_ids)}.")


def _row(actor: Actor, body: CreateAgent, chosen: ChosenModel, embedding: str | None) -> AgentRow:
    at = now()
    return AgentRow(
        id=new_id("agent"),
        organization_id=actor.organization_id,
        name=body.name or random_name(),
        description=body.description,
        metadata=body.metadata or {},
        agent_type=body.agent_type,
        system=PROMPTS[body.agent_type] if body.system is None else body.system,
        model=chosen.handle,
        model_settings=chosen.settings,
        context_window_limit=chosen.context_window_limit,
        embedding=embedding,
        compaction_settings=body.compaction_settings.named() if body.compaction_settings else {},
        tool_rules=stored_rules(body.tool_rules or ()),
        timezone=body.timezone or "UTC",
        message_buffer_autoclear=body.message_buffer_autoclear or body.agent_type == "workflow_agent",
        enable_sleeptime=bool(body.enable_sleeptime),
        multitask_strategy=body.multitask_strategy,
        max_files_open=body.max_files_open,
        per_file_view_window_char_limit=body.per_file_view_window_char_limit,
        has_folders=False,
        hidden=bool(body.hidden) or makes_hidden(body.tags or ()),
        project_id=body.project_id,
        template_id=body.template_id,
        base_template_id=body.base_template_id,
        deployment_id=None,
        entity_id=None,
        last_run_completion=None,
        last_run_duration_ms=None,
        last_stop_reason=None,
        created_by_id=actor.user_id,
        last_updated_by_id=actor.user_id,
        created_at=at,
        updated_at=at,
    )


def store_agent(conn: Connection, actor: Actor, new: NewAgent) -> AgentRow:
    """Store a planned agent with its links, its prompt and its first messages."""
    attached = _tools(conn, actor, new)
    agent = replace(new.row, tool_rules=_rules(new, attached))
    store.insert_agent(conn, agent)
    links.set_tools(conn, actor, agent.id, [tool.id for tool in attached])
    made = [create_block(conn, actor, described(block)).id for block in new.blocks]
    links.set_blocks(conn, actor, agent.id, [*made, *new.block_ids])
    store.set_tags(conn, agent.id, new.tags)
    secrets.set_secrets(conn, actor, agent.id, new.secrets)
    if new.folder_ids:
        limits = limits_in(agent, new.reader.context_window)
        set_folders(conn, actor, agent.id, new.folder_ids, limits)
        agent = store.get(conn, actor, agent.id)
    _open(conn, actor, agent, new)
    return agent


def described(block: CreateBlock) -> dict[str, Any]:
    """The columns of a first block; the usual labels tell what they are for even if nobody says it."""
    values = block.values()
    if values["description"] is None:
        values["description"] = DESCRIPTIONS.get(block.label)
    return values


def _tools(conn: Connection, actor: Actor, new: NewAgent) -> list[ToolRow]:
    """The tools of a new agent: base tools, then those named, then those given by id."""
    wanted = [*new.base_tools, *new.tools]
    by_name = {tool.name: tool for tool in tools.by_names(conn, actor, wanted)}
    if missing := [name for name in new.tools if name not in by_name]:
        raise InvalidArgument(f"tools: there is no tool named {', '.join(missing)}.")
    found = {by_name[name].id: by_name[name] for name in wanted if name in by_name}
    by_id = {tool.id: tool for tool in tools.by_ids(conn, actor, new.tool_ids)}
    if missing := [wanted_id for wanted_id in new.tool_ids if wanted_id not in by_id]:
        raise InvalidArgument(f"tool_ids: there is no tool {', '.join(missing)}.")
    return list((found | by_id).values())


def _rules(new: NewAgent, attached: Sequence[ToolRow]) -> list[dict[str, Any]]:
    rules = list(new.row.tool_rules)
    if wants_base_rules(new.row.agent_type, new.base_tool_rules, rules):
        names = {tool.name for tool in attached}
        rules = with_rules(rules, base_rules(name for name in new.base_tools if name in names))
    return with_rules(rules, approval_rules((t.name, bool(t.default_requires_approval)) for t in attached))


def _open(conn: Connection, actor: Actor, agent: AgentRow, new: NewAgent) -> None:
    made_of = made_of_stored(conn, agent, agent.id, new.reader)
    text = composed(conn, made_of, circumstances(conn, agent, agent.id))
    first = boot.first_messages(agent.agent_type, new.first_messages, agent.created_at, agent.timezone)
    messages.open_thread(conn, actor, agent.id, agent.id, text, fingerprint(made_of), first)
