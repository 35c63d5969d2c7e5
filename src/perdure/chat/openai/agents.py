"""Agents as the models of OpenAI's clients."""

from sqlalchemy import Connection

from perdure.agents import store
from perdure.agents.conversations.place import find
from perdure.agents.store import AgentRow
from perdure.agents.tables import agents
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import is_id
from perdure.tenancy.actor import Actor, owned

MAX_LISTED = 10_000
MAX_NAMED = 5


class NoSuchModel(NotFound):
    """No agent of this id or name."""


def find_agent(conn: Connection, actor: Actor, model: str) -> AgentRow:
    """The agent that a client's `model` means: by its id, or by a name that only one agent has."""
    if is_id("agent", model):
        return store.get(conn, actor, model)
    query = owned(agents, actor).where(agents.c.name == model).order_by(agents.c.created_at, agents.c.id)
    found = conn.execute(query.limit(MAX_NAMED + 1)).all()
    if not found:
        raise NoSuchModel(f"model: there is no agent `{model}`. Say the id of an agent, or its name.")
    if len(found) > 1:
        ids = ", ".join(row.id for row in found[:MAX_NAMED])
        raise InvalidArgument(f"model: several agents are named `{model}`. Say the id of one: {ids}.")
    return store.agent_row(found[0])


def find_history(conn: Connection, actor: Actor, model: str) -> str:
    """The thread that a client's `model` means: an agent's own history, or the conversation of that id."""
    if is_id("conv", model):
        return find(conn, actor, model).thread_id
    return find_agent(conn, actor, model).id


def list_agents(conn: Connection, actor: Actor) -> list[AgentRow]:
    """All agents that are not hidden, oldest first."""
    query = owned(agents, actor).where(agents.c.hidden.is_(False))
    rows = conn.execute(query.order_by(agents.c.created_at, agents.c.id).limit(MAX_LISTED))
    return [store.agent_row(row) for row in rows]
