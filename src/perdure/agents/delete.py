"""Delete an agent with all that is only its own."""

from collections.abc import Sequence

from sqlalchemy import Connection

from perdure.agents import isolated, past, store
from perdure.agents.archives import only_of
from perdure.agents.groups import store as groups
from perdure.memory import store as memory
from perdure.tenancy.actor import Actor


def delete_agent(conn: Connection, actor: Actor, agent_id: str) -> Sequence[str]:
    """Delete an agent, its histories and its conversations' own blocks; its blocks, tools and archives stay.

    Who looks after its memory goes with it. If it looked after another one's, that one has nobody now.
    Returns the archives that no other agent has.
    """
    left = list(only_of(conn, agent_id))
    group, helped = groups.managed_by(conn, [agent_id]).get(agent_id), groups.helped_by(conn, agent_id)
    if group:
        left += delete_agent(conn, actor, group.helper_agent_id)
    isolated.drop_of_agent(conn, actor, agent_id)
    known = past.known_blocks(conn, agent_id)
    store.delete_agent(conn, actor, agent_id)
    if helped:
        store.update_agent(conn, actor, helped.manager_agent_id, {"enable_sleeptime": False})
        _drop_persona(conn, actor, helped.persona_block_id)
    past.drop_unknown(conn, actor, known)
    return left


def _drop_persona(conn: Connection, actor: Actor, block_id: str) -> None:
    """The block that was made for such a helper goes, too, unless somebody has given it to another agent."""
    if memory.by_ids(conn, actor, [block_id]) and not store.agents_of(conn, block_id):
        memory.remove(conn, actor, block_id)
