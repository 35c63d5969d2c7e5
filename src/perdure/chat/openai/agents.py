"""Agents as the models of OpenAI's clients."""

from sqlalchemy import Connection

from perdure.agents import store
from perdure.agents.conversations.place import find
from perdure.agents.named import find_agent
from perdure.agents.store import AgentRow
from perdure.agents.tables import agents
from perdure.kit.ids import is_id
from perdure.tenancy.actor import Actor, owned

MAX_LISTED = 10_000


def find_history(conn: Connection, actor: Actor, model: str) -> str:
    """The thread that a client's `model` means: an agent's own history, or the conversation of that id."""
    if is_id("conv", model):
        return find(conn, actor, model).thread_id
    return find_agent(conn, actor, model, "model").id


def list_agents(conn: Connection, actor: Actor) -> list[AgentRow]:
    """All agents that are not hidden, oldest first."""
    query = owned(agents, actor).where(agents.c.hidden.is_(False))
    rows = conn.execute(query.order_by(agents.c.created_at, agents.c.id).limit(MAX_LISTED))
    return [store.agent_row(row) for row in rows]
