"""Which history a request means: an agent's own, or a conversation's. Either is a thread of that id."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints
from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.conversations import store
from perdure.agents.conversations.store import ConversationRow, adapted
from perdure.agents.store import AgentRow
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import UUID4, id_pattern, is_id
from perdure.tenancy.actor import Actor

DEFAULT = "default"
ConversationId = Annotated[str, id_pattern("conv")]
# `default` means the history of the agent named beside it; an agent's id means the same (older clients).
ThreadName = Annotated[str, StringConstraints(pattern=f"^(default|(conv|agent)-{UUID4})$")]


@dataclass(frozen=True, slots=True)
class Place:
    """A history, and the agent as it is there."""

    agent: AgentRow
    conversation: ConversationRow | None = None

    @property
    def thread_id(self) -> str:
        """The id of the thread."""
        return self.conversation.id if self.conversation else self.agent.id

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation; an agent's own history is none."""
        return self.conversation.id if self.conversation else None


def thread_of(name: str, agent_id: str | None) -> str:
    """The id of the thread that a path names; `default` needs the agent's id."""
    if name != DEFAULT:
        return name
    if agent_id is None:
        raise InvalidArgument("agent_id: the default conversation is an agent's own; say whose.")
    return agent_id


def find(conn: Connection, actor: Actor, thread_id: str) -> Place:
    """The agent and perhaps the conversation of a thread; raises the `NotFound` of what is missing."""
    if not is_id("conv", thread_id):
        return Place(agents.get(conn, actor, thread_id))
    conversation = store.get(conn, actor, thread_id)
    agent = agents.get(conn, actor, conversation.agent_id)
    return Place(adapted(agent, conversation), conversation)
