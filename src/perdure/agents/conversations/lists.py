"""Which conversations a list shows."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Select

from perdure.agents.conversations.store import ConversationRow
from perdure.agents.conversations.tables import conversations
from perdure.db.rows import picked
from perdure.kit.errors import Unprocessable
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import Actor, owned

SORT_KEYS = ("created_at", "last_run_completion", "last_message_at")
ArchiveStatus = Literal["unarchived", "archived", "all"]


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """What a caller asked to see. Hidden conversations are never listed."""

    agent_id: str | None = None
    summary_search: str | None = None
    archive_status: ArchiveStatus = "unarchived"


def list_conversations(
    conn: Connection, actor: Actor, page: Page, wanted: ConversationFilter
) -> list[ConversationRow]:
    """A page of conversations; those without a time to be ordered by come last."""
    sort_key = page.order_by or "created_at"
    if sort_key not in SORT_KEYS:
        raise Unprocessable(f"order_by: {sort_key!r} is none of {', '.join(SORT_KEYS)}.")
    query = _filtered(owned(conversations, actor), wanted)
    key, nullable = conversations.c[sort_key], sort_key != "created_at"
    rows = paginate(conn, query, page, key=key, id=conversations.c.id, nullable=nullable)
    return [picked(ConversationRow, row) for row in rows]


def _filtered(query: Select[Any], wanted: ConversationFilter) -> Select[Any]:
    query = query.where(conversations.c.hidden.is_(False))
    if wanted.agent_id is not None:
        query = query.where(conversations.c.agent_id == wanted.agent_id)
    if wanted.summary_search:
        query = query.where(conversations.c.summary.icontains(wanted.summary_search, autoescape=True))
    if wanted.archive_status != "all":
        archived = conversations.c.archived_at.is_not(None)
        query = query.where(archived if wanted.archive_status == "archived" else ~archived)
    return query
