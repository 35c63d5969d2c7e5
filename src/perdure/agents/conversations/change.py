"""Change a conversation: only what a PATCH names; an explicit null clears."""

from typing import Any

from sqlalchemy import Connection

from perdure.agents.conversations import store
from perdure.agents.conversations.schemas import UpdateConversation
from perdure.agents.conversations.store import ConversationRow
from perdure.agents.model_settings import merge
from perdure.kit.clock import now
from perdure.tenancy.actor import Actor

PLAIN = ("summary", "description", "model", "context_window_limit", "last_message_at")


def change(conn: Connection, actor: Actor, conversation_id: str, body: UpdateConversation) -> None:
    """Store a PATCH."""
    before = store.get(conn, actor, conversation_id, to_change=True)
    store.update_conversation(conn, actor, conversation_id, _columns(body, before))


def _columns(body: UpdateConversation, before: ConversationRow) -> dict[str, Any]:
    named = body.model_fields_set
    values = {name: getattr(body, name) for name in PLAIN if name in named}
    if "model_settings" in named:
        settings = body.model_settings
        merged = merge(before.model_settings or {}, settings.named()) if settings else {}
        values["model_settings"] = merged or None
    if "archived" in named:
        values["archived_at"] = (before.archived_at or now()) if body.archived else None
    return values
