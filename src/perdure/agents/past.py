"""An agent's memory as it was: which blocks it had when, and what they said then.

Links are what an agent has now; every change of them is noted here as a span of time. Spans go with their
agent, and with the last agent that had it goes what is known of a deleted block.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from perdure.agents import store
from perdure.agents.conversations import store as conversations
from perdure.agents.isolated import IsolatedBlock, shadowed
from perdure.agents.tables import agents_blocks, agents_blocks_past, conversations_blocks
from perdure.kit.clock import iso, now
from perdure.kit.errors import NotFound
from perdure.kit.ids import new_id
from perdure.memory.store import BlockRow
from perdure.memory.store import at_time as block_at
from perdure.memory.tables import blocks
from perdure.memory.versions import store as versions
from perdure.tenancy.actor import Actor

PAST = agents_blocks_past.c


def note(conn: Connection, agent_id: str) -> None:
    """Bring the past up to the agent's links, after any change of them."""
    links = select(agents_blocks.c.block_id, agents_blocks.c.position)
    have = dict(conn.execute(links.where(agents_blocks.c.agent_id == agent_id)).all())
    open_spans = select(PAST.block_id, PAST.position).where(PAST.agent_id == agent_id, PAST.until.is_(None))
    had = dict(conn.execute(open_spans).all())
    at = now()
    if gone := [block_id for block_id, position in had.items() if have.get(block_id) != position]:
        ended = update(agents_blocks_past).where(PAST.agent_id == agent_id, PAST.block_id.in_(gone))
        conn.execute(ended.where(PAST.until.is_(None)).values(until=at))
    begun = [
        {"id": new_id("span"), "agent_id": agent_id, "block_id": block_id, "position": place, "since": at}
        for block_id, place in have.items()
        if had.get(block_id) != place
    ]
    if begun:
        conn.execute(insert(agents_blocks_past), begun)


def memory_at(
    conn: Connection, actor: Actor, agent_id: str, at: datetime, conversation_id: str | None = None
) -> list[BlockRow]:
    """The blocks an agent had at a time, in their order, with what they said; in a conversation, if named."""
    agent = store.get(conn, actor, agent_id)
    if at < agent.created_at:
        raise NotFound(
            f"as_of: agent {agent_id} was made at {iso(agent.created_at)}, and had no memory before."
        )
    attached = [found for id in _attached(conn, agent_id, at) if (found := block_at(conn, actor, id, at))]
    if conversation_id is None:
        return attached
    if conversations.get(conn, actor, conversation_id).agent_id != agent_id:
        raise NotFound(f"conversation_id: agent {agent_id} has no conversation {conversation_id}.")
    query = select(conversations_blocks.c.label, conversations_blocks.c.block_id)
    query = query.where(conversations_blocks.c.conversation_id == conversation_id)
    own = [(label, block_at(conn, actor, id, at)) for label, id in conn.execute(query).all()]
    return shadowed(attached, [IsolatedBlock(label, block) for label, block in own if block])


def known_blocks(conn: Connection, agent_id: str) -> list[str]:
    """The blocks that an agent has or had."""
    return list(conn.execute(select(PAST.block_id).distinct().where(PAST.agent_id == agent_id)).scalars())


def drop_unknown(conn: Connection, actor: Actor, block_ids: Sequence[str]) -> None:
    """Erase what is known of those blocks that are deleted and that no agent had."""
    kept = select(blocks.c.id.label("id")).where(blocks.c.id.in_(block_ids))
    kept = kept.union(select(PAST.block_id).where(PAST.block_id.in_(block_ids)))
    alive = set(conn.execute(kept).scalars())
    if unknown := [block_id for block_id in block_ids if block_id not in alive]:
        versions.erase(conn, actor, unknown)


def _attached(conn: Connection, agent_id: str, at: datetime) -> list[str]:
    lasts = or_(PAST.until.is_(None), PAST.until > at)
    query = select(PAST.block_id).where(PAST.agent_id == agent_id, PAST.since <= at, lasts)
    return list(conn.execute(query.order_by(PAST.position, PAST.block_id)).scalars())
