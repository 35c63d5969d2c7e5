"""Delete an agent with all that is only its own."""

from sqlalchemy import Connection

from perdure.agents import isolated, past, store
from perdure.tenancy.actor import Actor


def delete_agent(conn: Connection, actor: Actor, agent_id: str) -> None:
    """Delete an agent, its histories and its conversations' own blocks; its blocks and tools stay."""
    isolated.drop_of_agent(conn, actor, agent_id)
    known = past.known_blocks(conn, agent_id)
    store.delete_agent(conn, actor, agent_id)
    past.drop_unknown(conn, actor, known)
