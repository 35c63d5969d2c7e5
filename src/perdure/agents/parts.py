"""An agent with its relations, read for many agents with one query per relation."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from perdure.agents import secrets, store
from perdure.agents.folders.store import AgentFile, files_of, folders_by_agent
from perdure.agents.groups import store as groups
from perdure.agents.groups.store import GroupRow
from perdure.agents.secrets import SecretRow
from perdure.agents.store import AgentRow
from perdure.files.folders import FolderRow
from perdure.files.store import texts_of
from perdure.memory.store import BlockRow
from perdure.messages.pending import Pending, pending_in
from perdure.messages.store import context_end
from perdure.messages.tables import context_entries
from perdure.tenancy.actor import Actor
from perdure.tools.store import ToolRow

ALL = (
    "agent.blocks",
    "agent.sources",
    "agent.tools",
    "agent.tags",
    "agent.secrets",
    "agent.managed_group",
)


@dataclass(frozen=True, slots=True)
class AgentParts:
    """What an agent is shown from; relations that were not asked for are empty."""

    agent: AgentRow
    message_ids: list[str]
    blocks: list[BlockRow]
    tools: list[ToolRow]
    tags: list[str]
    secrets: list[SecretRow]
    pending: Pending | None = None
    group: GroupRow | None = None
    folders: Sequence[FolderRow] = ()
    files: Sequence[AgentFile] = ()
    texts: Mapping[str, str] = field(default_factory=dict[str, str])


def parts_of(conn: Connection, actor: Actor, agent_id: str, include: Collection[str] = ALL) -> AgentParts:
    """One agent with the relations included."""
    return gather(conn, [store.get(conn, actor, agent_id)], include)[0]


def gather(conn: Connection, rows: Sequence[AgentRow], include: Collection[str]) -> list[AgentParts]:
    """Several agents with the relations included."""
    ids = [row.id for row in rows]
    if not ids:
        return []
    contexts = _contexts(conn, ids)
    blocks = store.blocks_by_agent(conn, ids) if "agent.blocks" in include else {}
    tools = store.tools_by_agent(conn, ids) if "agent.tools" in include else {}
    tags = store.tags_by_agent(conn, ids) if "agent.tags" in include else {}
    asks = {id: pending_in(context_end(conn, id, 8)) for id in ids if "agent.pending_approval" in include}
    seeing = [row.id for row in rows if row.has_folders]
    folders = folders_by_agent(conn, seeing) if seeing and "agent.sources" in include else {}
    files = {id: files_of(conn, id) for id in seeing} if "agent.blocks" in include else {}
    opened = {file.file_id for each in files.values() for file in each if file.is_open}
    texts = texts_of(conn, list(opened))
    kept = secrets.secrets_by_agent(conn, ids) if "agent.secrets" in include else {}
    led = [row.id for row in rows if row.enable_sleeptime and "agent.managed_group" in include]
    managed = groups.managed_by(conn, led) if led else {}
    return [
        AgentParts(
            row,
            contexts.get(row.id, []),
            blocks.get(row.id, []),
            tools.get(row.id, []),
            tags.get(row.id, []),
            kept.get(row.id, []),
            asks.get(row.id),
            managed.get(row.id),
            folders.get(row.id, ()),
            files.get(row.id, ()),
            texts,
        )
        for row in rows
    ]


def _contexts(conn: Connection, agent_ids: Sequence[str]) -> dict[str, list[str]]:
    """The messages in context of each agent's own thread."""
    query = (
        select(context_entries.c.thread_id, context_entries.c.message_id)
        .where(context_entries.c.thread_id.in_(agent_ids))
        .order_by(context_entries.c.thread_id, context_entries.c.position)
    )
    found: dict[str, list[str]] = {}
    for thread_id, message_id in conn.execute(query):
        found.setdefault(thread_id, []).append(message_id)
    return found
