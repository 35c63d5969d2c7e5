"""Conversations as rows, and the agent as it is in one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from perdure.agents import isolated
from perdure.agents.conversations.tables import conversations
from perdure.agents.model_settings import merge
from perdure.agents.store import AgentRow
from perdure.db.prepared import Prepared
from perdure.db.rows import picked
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.messages.fork import delete_thread
from perdure.messages.store import Thread
from perdure.tenancy.actor import Actor, is_owned


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation as stored. What is null of model, settings and window is the agent's."""

    id: str
    organization_id: str
    agent_id: str
    summary: str | None
    description: str | None
    model: str | None
    model_settings: dict[str, Any] | None
    context_window_limit: int | None
    hidden: bool
    archived_at: datetime | None
    last_message_at: datetime | None
    last_run_completion: datetime | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: datetime
    updated_at: datetime


class ConversationNotFound(NotFound):
    """No such conversation for this organization."""

    def __init__(self, conversation_id: str):
        super().__init__(f"There is no conversation {conversation_id}.")


SELECT_CONVERSATION = select(conversations).where(
    conversations.c.id == bindparam("conversation_id"),
    conversations.c.organization_id == bindparam("organization_id"),
)
THIS = conversations.c.id == bindparam("conversation_id")
UPDATE_CONVERSATION = Prepared(update(conversations).where(THIS))


def get(conn: Connection, actor: Actor, conversation_id: str, *, to_change: bool = False) -> ConversationRow:
    """The conversation, or `ConversationNotFound`.

    `to_change` holds it until the transaction ends, so that two changes at once both count.
    """
    wanted = {"conversation_id": conversation_id, "organization_id": actor.organization_id}
    query = SELECT_CONVERSATION.with_for_update(key_share=True) if to_change else SELECT_CONVERSATION
    row = conn.execute(query, wanted).first()
    if row is None:
        raise ConversationNotFound(conversation_id)
    return picked(ConversationRow, row)


def adapted(agent: AgentRow, conversation: ConversationRow) -> AgentRow:
    """The agent as it is in a conversation, whose model, settings and window go before its own."""
    return replace(
        agent,
        model=conversation.model or agent.model,
        model_settings=merge(agent.model_settings, conversation.model_settings or {}),
        context_window_limit=conversation.context_window_limit or agent.context_window_limit,
    )


def insert_conversation(conn: Connection, row: ConversationRow) -> None:
    """Store a conversation whose thread is open."""
    conn.execute(insert(conversations).values(asdict(row)))


def update_conversation(
    conn: Connection, actor: Actor, conversation_id: str, values: Mapping[str, Any]
) -> None:
    """Change some columns of a conversation that is held, and note who did it."""
    stamped = {**values, "updated_at": now(), "last_updated_by_id": actor.user_id}
    mine = is_owned(conversations, actor) & (conversations.c.id == conversation_id)
    conn.execute(update(conversations).where(mine).values(stamped))


def delete_conversation(conn: Connection, actor: Actor, conversation_id: str) -> None:
    """Delete a conversation with its blocks and messages; what a fork shares stays there."""
    get(conn, actor, conversation_id)
    isolated.drop_of_conversation(conn, actor, conversation_id)
    delete_thread(conn, actor, conversation_id)


def note_request(conn: Connection, thread: Thread) -> None:
    """A request to a conversation was accepted; an agent's own thread keeps no such note."""
    if thread.id != thread.agent_id:
        UPDATE_CONVERSATION.later(conn, {"conversation_id": thread.id, "last_message_at": now()})


def note_end(conn: Connection, thread: Thread) -> None:
    """A run of a conversation ended."""
    if thread.id != thread.agent_id:
        UPDATE_CONVERSATION.later(conn, {"conversation_id": thread.id, "last_run_completion": now()})
