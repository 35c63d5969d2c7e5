"""Blocks of a conversation's own: copies that stand in for the agent's, label by label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select

from perdure.agents.store import blocks_of
from perdure.agents.tables import conversations_blocks
from perdure.db.rows import picked
from perdure.kit.errors import InvalidArgument
from perdure.memory import store as memory
from perdure.memory.store import BlockRow
from perdure.memory.tables import blocks
from perdure.memory.versions import store as versions
from perdure.messages.tables import threads
from perdure.tenancy.actor import Actor, is_owned

COPIED = ("label", "value", "limit", "description", "read_only", "metadata", "tags")

# Statements of the hot path are built once: building one costs about as much as running it.
SELECT_ISOLATED = (
    select(conversations_blocks.c.label.label("stands_for"), blocks)
    .join(conversations_blocks, conversations_blocks.c.block_id == blocks.c.id)
    .where(conversations_blocks.c.conversation_id == bindparam("thread_id"))
    .order_by(conversations_blocks.c.label)
)


@dataclass(frozen=True, slots=True)
class IsolatedBlock:
    """A conversation's own block, and the label of the agent's block it hides."""

    stands_for: str
    block: BlockRow


def blocks_in(conn: Connection, agent_id: str, thread_id: str) -> list[BlockRow]:
    """The blocks an agent sees in a thread: its own, or a conversation's in their places."""
    attached = blocks_of(conn, agent_id)
    if thread_id == agent_id:
        return attached
    return shadowed(attached, isolated_of(conn, thread_id))


def shadowed(attached: Sequence[BlockRow], isolated: Sequence[IsolatedBlock]) -> list[BlockRow]:
    """The agent's blocks with the isolated ones in their places; those without a place come last.

    An isolated block that was renamed also hides the agent's block of its new label: one label, one block.
    """
    waiting = {own.stands_for: own.block for own in isolated}
    taken = {own.block.label for own in isolated}
    seen: list[BlockRow] = []
    for block in attached:
        own = waiting.pop(block.label, None)
        if own is not None or block.label not in taken:
            seen.append(own or block)
    return [*seen, *waiting.values()]


def isolated_of(conn: Connection, thread_id: str) -> list[IsolatedBlock]:
    """A conversation's own blocks; an agent's thread has none."""
    rows = conn.execute(SELECT_ISOLATED, {"thread_id": thread_id})
    return [IsolatedBlock(row.stands_for, picked(BlockRow, row)) for row in rows]


def isolated_ids(conn: Connection, conversation_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the own blocks of several conversations; those without any are left out."""
    query = (
        select(conversations_blocks.c.conversation_id, conversations_blocks.c.block_id)
        .where(conversations_blocks.c.conversation_id.in_(conversation_ids))
        .order_by(conversations_blocks.c.label)
    )
    found: dict[str, list[str]] = {}
    for conversation_id, block_id in conn.execute(query):
        found.setdefault(conversation_id, []).append(block_id)
    return found


def copied(conn: Connection, actor: Actor, originals: Sequence[IsolatedBlock]) -> list[IsolatedBlock]:
    """Copies of blocks, for a conversation that is about to begin. Lists of shared blocks leave them out."""
    return [IsolatedBlock(own.stands_for, _copy(conn, actor, own.block)) for own in originals]


def _copy(conn: Connection, actor: Actor, block: BlockRow) -> BlockRow:
    values = {name: getattr(block, name) for name in COPIED}
    return memory.create(conn, actor, {**values, "hidden": True})


def labelled(conn: Connection, agent_id: str, labels: Sequence[str]) -> list[IsolatedBlock]:
    """The agent's blocks of these labels, to be copied; `InvalidArgument` names those it does not have."""
    attached = {block.label: block for block in blocks_of(conn, agent_id)}
    wanted = list(dict.fromkeys(labels))
    if missing := [label for label in wanted if label not in attached]:
        known = f"it has {', '.join(attached)}" if attached else "it has none"
        raise InvalidArgument(
            f"isolated_block_labels: the agent has no block labelled {', '.join(missing)}; {known}."
        )
    return [IsolatedBlock(label, attached[label]) for label in wanted]


def link(conn: Connection, conversation_id: str, own: Sequence[IsolatedBlock]) -> None:
    """Give a stored conversation its blocks."""
    rows = [
        {"conversation_id": conversation_id, "block_id": each.block.id, "label": each.stands_for}
        for each in own
    ]
    if rows:
        conn.execute(insert(conversations_blocks), rows)


def is_isolated(conn: Connection, agent_id: str, block_id: str) -> bool:
    """Whether a block is one conversation's own, of those of this agent."""
    query = _of_agent(agent_id).where(conversations_blocks.c.block_id == block_id)
    return conn.execute(query).first() is not None


def drop_of_conversation(conn: Connection, actor: Actor, conversation_id: str) -> None:
    """Destroy the own blocks of a conversation."""
    _drop(
        conn,
        actor,
        select(conversations_blocks.c.block_id).where(
            conversations_blocks.c.conversation_id == conversation_id
        ),
    )


def drop_of_agent(conn: Connection, actor: Actor, agent_id: str) -> None:
    """Destroy the own blocks of all conversations of an agent."""
    _drop(conn, actor, _of_agent(agent_id))


def _drop(conn: Connection, actor: Actor, own: Select[Any]) -> None:
    """Destroy blocks with their past: what was a conversation's own goes with it."""
    if ids := list(conn.execute(own).scalars()):
        conn.execute(delete(blocks).where(is_owned(blocks, actor), blocks.c.id.in_(ids)))
        versions.erase(conn, actor, ids)


def _of_agent(agent_id: str) -> Select[tuple[str]]:
    return (
        select(conversations_blocks.c.block_id)
        .join(threads, threads.c.id == conversations_blocks.c.conversation_id)
        .where(threads.c.agent_id == agent_id)
    )
