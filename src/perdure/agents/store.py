"""Agents as rows, and what hangs on them: blocks, tools, tags."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from perdure.agents.tables import agents, agents_blocks, agents_tags, agents_tools
from perdure.db.prepared import Prepared
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.memory.store import BlockRow
from perdure.memory.tables import blocks
from perdure.tenancy.actor import Actor, is_owned, owned
from perdure.tools.store import ToolRow
from perdure.tools.tables import tools

ALL_BLOCKS = (
    select(blocks)
    .join(agents_blocks, agents_blocks.c.block_id == blocks.c.id)
    .order_by(agents_blocks.c.position, blocks.c.id)
)
ALL_TOOLS = (
    select(tools)
    .join(agents_tools, agents_tools.c.tool_id == tools.c.id)
    .order_by(agents_tools.c.position, tools.c.id)
)
UPDATE_AGENT = Prepared(update(agents).where(agents.c.id == bindparam("of")))
SELECT_AGENT = Prepared(
    select(agents).where(
        agents.c.id == bindparam("agent_id"), agents.c.organization_id == bindparam("organization_id")
    )
)
SELECT_BLOCKS = Prepared(ALL_BLOCKS.where(agents_blocks.c.agent_id == bindparam("agent_id")))
SELECT_TOOLS = Prepared(ALL_TOOLS.where(agents_tools.c.agent_id == bindparam("agent_id")))


class AgentNotFound(NotFound):
    """No such agent for this organization."""

    def __init__(self, agent_id: str):
        super().__init__(f"There is no agent {agent_id}.")


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent as stored. `model_settings` holds what somebody named; nothing is copied from providers."""

    id: str
    organization_id: str
    name: str
    description: str | None
    metadata: dict[str, Any]
    agent_type: str
    system: str
    model: str
    model_settings: dict[str, Any]
    context_window_limit: int | None
    embedding: str | None
    compaction_settings: dict[str, Any]
    tool_rules: list[dict[str, Any]]
    timezone: str
    message_buffer_autoclear: bool
    enable_sleeptime: bool
    multitask_strategy: str | None
    max_files_open: int | None
    per_file_view_window_char_limit: int | None
    has_folders: bool
    hidden: bool
    project_id: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    last_run_completion: datetime | None
    last_run_duration_ms: int | None
    last_stop_reason: str | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def response_format(self) -> dict[str, Any] | None:
        """The format asked of every answer; the agent's field and the setting are one."""
        return self.model_settings.get("response_format")


def agent_row(row: Sequence[Any]) -> AgentRow:
    """The agent of a full row of `agents`."""
    return AgentRow(*row)  # its fields are the table's columns in order


def get(conn: Connection, actor: Actor, agent_id: str, *, to_change: bool = False) -> AgentRow:
    """The agent, or `AgentNotFound`.

    `to_change` holds it until the transaction ends, so that two changes at once both count; rows that
    only point at it can still be added.
    """
    if to_change:
        query = owned(agents, actor).where(agents.c.id == agent_id)
        row = conn.execute(query.with_for_update(key_share=True)).first()
    else:
        wanted = {"agent_id": agent_id, "organization_id": actor.organization_id}
        row = SELECT_AGENT.first(conn, wanted)
    if row is None:
        raise AgentNotFound(agent_id)
    return agent_row(row)


def blocks_of(conn: Connection, agent_id: str) -> list[BlockRow]:
    """The agent's blocks, in the order they were attached."""
    return [BlockRow(*row) for row in SELECT_BLOCKS.all(conn, {"agent_id": agent_id})]


def agents_of(conn: Connection, block_id: str) -> list[str]:
    """The agents that have a block."""
    query = select(agents_blocks.c.agent_id).where(agents_blocks.c.block_id == block_id)
    return list(conn.execute(query).scalars())


def tools_of(conn: Connection, agent_id: str) -> list[ToolRow]:
    """The agent's tools, in the order they were attached."""
    return [ToolRow(*row) for row in SELECT_TOOLS.all(conn, {"agent_id": agent_id})]


def blocks_by_agent(conn: Connection, agent_ids: Sequence[str]) -> dict[str, list[BlockRow]]:
    """The blocks of several agents at once; agents without any are left out."""
    query = ALL_BLOCKS.add_columns(agents_blocks.c.agent_id).where(agents_blocks.c.agent_id.in_(agent_ids))
    found: dict[str, list[BlockRow]] = {}
    for *block, agent_id in conn.execute(query):
        found.setdefault(agent_id, []).append(BlockRow(*block))
    return found


def tools_by_agent(conn: Connection, agent_ids: Sequence[str]) -> dict[str, list[ToolRow]]:
    """The tools of several agents at once; agents without any are left out."""
    query = ALL_TOOLS.add_columns(agents_tools.c.agent_id).where(agents_tools.c.agent_id.in_(agent_ids))
    found: dict[str, list[ToolRow]] = {}
    for *tool, agent_id in conn.execute(query):
        found.setdefault(agent_id, []).append(ToolRow(*tool))
    return found


def tags_by_agent(conn: Connection, agent_ids: Sequence[str]) -> dict[str, list[str]]:
    """The tags of several agents at once; agents without any are left out."""
    query = (
        select(agents_tags.c.agent_id, agents_tags.c.tag)
        .where(agents_tags.c.agent_id.in_(agent_ids))
        .order_by(agents_tags.c.tag)
    )
    found: dict[str, list[str]] = {}
    for agent_id, tag in conn.execute(query):
        found.setdefault(agent_id, []).append(tag)
    return found


def models_of(conn: Connection, agent_ids: Collection[str]) -> dict[str, str]:
    """The model handles of several agents."""
    query = select(agents.c.id, agents.c.model).where(agents.c.id.in_(agent_ids))
    return dict(conn.execute(query).all())


def insert_agent(conn: Connection, row: AgentRow) -> None:
    """Store a new agent."""
    conn.execute(insert(agents).values(asdict(row)))


def update_agent(conn: Connection, actor: Actor, agent_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns of an agent and note who did it."""
    stamped = {**values, "updated_at": now(), "last_updated_by_id": actor.user_id}
    mine = is_owned(agents, actor) & (agents.c.id == agent_id)
    if conn.execute(update(agents).where(mine).values(stamped)).rowcount == 0:
        raise AgentNotFound(agent_id)


def record_run(conn: Connection, agent_id: str, *, stop_reason: str, duration_ms: int | None = None) -> None:
    """Note how the agent's latest run ended; `updated_at` is about its making, not its work."""
    values = {
        "last_run_completion": now(),
        "last_run_duration_ms": duration_ms,
        "last_stop_reason": stop_reason,
    }
    UPDATE_AGENT.later(conn, {"of": agent_id, **values})


def delete_agent(conn: Connection, actor: Actor, agent_id: str) -> None:
    """Delete an agent with all that is only its own; blocks and tools stay."""
    mine = is_owned(agents, actor) & (agents.c.id == agent_id)
    if conn.execute(delete(agents).where(mine)).rowcount == 0:
        raise AgentNotFound(agent_id)


def set_tags(conn: Connection, agent_id: str, tags: Sequence[str]) -> None:
    """Replace the agent's tags."""
    conn.execute(delete(agents_tags).where(agents_tags.c.agent_id == agent_id))
    rows = [{"agent_id": agent_id, "tag": tag} for tag in dict.fromkeys(tags)]
    if rows:
        conn.execute(insert(agents_tags), rows)
