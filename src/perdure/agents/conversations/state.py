"""From conversations as rows to what clients see."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.conversations import store
from perdure.agents.conversations.lists import ConversationFilter, list_conversations
from perdure.agents.conversations.schemas import Conversation
from perdure.agents.conversations.store import ConversationRow
from perdure.agents.isolated import isolated_ids
from perdure.agents.model_facts import describe
from perdure.agents.schemas.model_settings import ModelSettings
from perdure.kit.paging import Page
from perdure.messages import store as messages
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor


@dataclass(frozen=True, slots=True)
class ConversationParts:
    """What a conversation is shown from. `handle` is of the model in force."""

    row: ConversationRow
    handle: str
    block_ids: list[str]
    message_ids: list[str] | None = None


def parts_of(conn: Connection, actor: Actor, conversation_id: str) -> ConversationParts:
    """One conversation, with what is in its context."""
    row = store.get(conn, actor, conversation_id)
    found = isolated_ids(conn, [row.id])
    handle = row.model or agents.get(conn, actor, row.agent_id).model
    return ConversationParts(row, handle, found.get(row.id, []), messages.context_ids(conn, row.id))


def page_of(
    conn: Connection, actor: Actor, page: Page, wanted: ConversationFilter
) -> list[ConversationParts]:
    """A page of conversations."""
    rows = list_conversations(conn, actor, page, wanted)
    found = isolated_ids(conn, [row.id for row in rows])
    handles = agents.models_of(conn, {row.agent_id for row in rows if not row.model})
    return [ConversationParts(row, row.model or handles[row.agent_id], found.get(row.id, [])) for row in rows]


async def states_of(models: Models, actor: Actor, found: Sequence[ConversationParts]) -> list[Conversation]:
    """Conversations as clients see them. Settings name their vendor: clients tell them apart by it."""
    facts = await describe(models, actor, (parts.handle for parts in found if parts.row.model_settings))
    return [
        _state(parts, facts[parts.handle].provider_type if parts.handle in facts else "") for parts in found
    ]


def _state(parts: ConversationParts, provider_type: str) -> Conversation:
    row = parts.row
    settings = row.model_settings and {**row.model_settings, "provider_type": provider_type}
    return Conversation(
        id=row.id,
        agent_id=row.agent_id,
        summary=row.summary,
        description=row.description,
        in_context_message_ids=parts.message_ids,
        isolated_block_ids=parts.block_ids,
        model=row.model,
        model_settings=ModelSettings.model_validate(settings) if settings else None,
        context_window_limit=row.context_window_limit,
        archived=row.archived_at is not None,
        archived_at=row.archived_at,
        last_message_at=row.last_message_at,
        last_run_completion=row.last_run_completion,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by_id=row.created_by_id,
        last_updated_by_id=row.last_updated_by_id,
    )
