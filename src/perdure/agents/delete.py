"""Delete an agent with all that is only its own."""

from collections.abc import Sequence

from sqlalchemy import Connection

from perdure.agents import isolated, past, store
from perdure.agents.archives import only_of
from perdure.tenancy.actor import Actor


def delete_agent(conn: Connection, actor: Actor, agent_id: str) -> Sequence[str]:
    """Delete an agent, its histories and its conversations' own blocks; its blocks, tools and archives stay.

    Returns the archives that no other agent has.
    """
    left = only_of(conn, agent_id)
    isolated.drop_of_agent(conn, actor, agent_id)
    known = past.known_blocks(conn, agent_id)
    store.delete_agent(conn, actor, agent_id)
    past.drop_unknown(conn, actor, known)
    return left
