"""An agent's blocks by their labels."""

from sqlalchemy import Connection

from perdure.agents import store
from perdure.kit.errors import NotFound
from perdure.memory import store as memory
from perdure.memory.schemas import UpdateBlock
from perdure.memory.store import BlockRow
from perdure.tenancy.actor import Actor


def block_labelled(conn: Connection, actor: Actor, agent_id: str, label: str) -> BlockRow:
    """The agent's block of this label; `NotFound` lists those it has."""
    store.get(conn, actor, agent_id)
    found = {block.label: block for block in store.blocks_of(conn, agent_id)}
    if label not in found:
        known = f"it has {', '.join(found)}" if found else "it has none"
        raise NotFound(f"Agent {agent_id} has no block labelled {label!r}; {known}.")
    return found[label]


def change_block(
    conn: Connection,
    actor: Actor,
    agent_id: str,
    label: str,
    body: UpdateBlock,
    expected_version: int | None = None,
) -> BlockRow:
    """Change the agent's block of this label."""
    block = block_labelled(conn, actor, agent_id, label)
    return memory.update(conn, actor, block.id, body.changes(), expected_version=expected_version)
