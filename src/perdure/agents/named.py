"""Agents by what callers call them: an id, or a name that only one agent has."""

from sqlalchemy import Connection

from perdure.agents import store
from perdure.agents.store import AgentRow
from perdure.agents.tables import agents
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import is_id
from perdure.tenancy.actor import Actor, owned

MAX_NAMED = 5


class NoSuchAgent(NotFound):
    """No agent of this id or name."""


def find_agent(conn: Connection, actor: Actor, named: str, field: str) -> AgentRow:
    """The agent that a caller means; `field` is where it was named, for errors."""
    if is_id("agent", named):
        return store.get(conn, actor, named)
    query = owned(agents, actor).where(agents.c.name == named).order_by(agents.c.created_at, agents.c.id)
    found = conn.execute(query.limit(MAX_NAMED + 1)).all()
    if not found:
        raise NoSuchAgent(f"{field}: there is no agent `{named}`. Say the id of an agent, or its name.")
    if len(found) > 1:
        ids = ", ".join(row.id for row in found[:MAX_NAMED])
        raise InvalidArgument(f"{field}: several agents are named `{named}`. Say the id of one: {ids}.")
    return store.agent_row(found[0])
