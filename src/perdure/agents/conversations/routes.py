"""Begin, read, change, fork and delete conversations. What is said in them is in `chat`."""

from typing import Annotated

from fastapi import APIRouter, Query

from perdure.agents.compiled import recompile as recompile_prompt
from perdure.agents.conversations import store
from perdure.agents.conversations.begin import begin, fork
from perdure.agents.conversations.change import change
from perdure.agents.conversations.lists import ArchiveStatus, ConversationFilter
from perdure.agents.conversations.place import ConversationId, Place, ThreadName, find, thread_of
from perdure.agents.conversations.schemas import (
    Conversation,
    CreateConversation,
    Recompile,
    UpdateConversation,
)
from perdure.agents.conversations.state import page_of, parts_of, states_of
from perdure.agents.model_facts import describe, reader_of
from perdure.agents.prompt import Reader
from perdure.agents.schemas.agent import Message
from perdure.db import Database, Db
from perdure.kit.ids import AgentId, MessageId
from perdure.kit.paging import Page, page_query
from perdure.providers.catalog import CurrentModels, Models
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.post("/")
async def create(
    agent_id: AgentId, body: CreateConversation, db: Db, actor: CurrentActor, models: CurrentModels
) -> Conversation:
    """Begin a conversation with an agent. Nothing is stored unless all of it can be."""
    await _check_model(models, actor, body.model)
    place = await db.read(find, actor, agent_id)
    reader = await _reader(models, actor, body.model or place.agent.model)
    row = await db.write(begin, actor, agent_id, body, reader)
    return await _state(db, models, actor, row.id)


@router.get("/")
async def list_all(
    *,
    page: Annotated[Page, page_query(limit=50, order="desc")],
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    agent_id: str | None = None,
    summary_search: Annotated[str | None, Query(description="Part of the summary, in any case.")] = None,
    archive_status: ArchiveStatus = "unarchived",
) -> list[Conversation]:
    """A page of conversations, of one agent or of all."""
    wanted = ConversationFilter(agent_id, summary_search, archive_status)
    return await states_of(models, actor, await db.read(page_of, actor, page, wanted))


@router.get("/{conversation_id}")
async def retrieve(
    conversation_id: ConversationId, db: Db, actor: CurrentActor, models: CurrentModels
) -> Conversation:
    """A conversation, with the messages in its context."""
    return await _state(db, models, actor, conversation_id)


@router.patch("/{conversation_id}")
async def update(
    conversation_id: ConversationId,
    body: UpdateConversation,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
) -> Conversation:
    """Change the named fields of a conversation; null clears, and the agent's value is in force again."""
    await _check_model(models, actor, body.model)
    await db.write(change, actor, conversation_id, body)
    return await _state(db, models, actor, conversation_id)


@router.delete("/{conversation_id}")
async def delete(conversation_id: ConversationId, db: Db, actor: CurrentActor) -> Message:
    """Delete a conversation with its messages and its own blocks; what forks share of it stays there."""
    await db.write(store.delete_conversation, actor, conversation_id)
    return Message(message=f"Conversation {conversation_id} was deleted.")


@router.post("/{conversation_id}/fork")
async def fork_conversation(
    *,
    conversation_id: ThreadName,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    agent_id: AgentId | None = None,
    hidden: bool = False,
    message_id: Annotated[MessageId | None, Query(description="The last message to share.")] = None,
) -> Conversation:
    """Begin a conversation that shares what is in another's context, with copies of its own blocks."""
    place = await db.read(find, actor, thread_of(conversation_id, agent_id))
    row = await db.write(
        fork,
        actor,
        place.thread_id,
        reader=await _reader(models, actor, place.agent.model),
        hidden=hidden,
        until=message_id,
    )
    return await _state(db, models, actor, row.id)


@router.post("/{conversation_id}/recompile")
async def recompile(
    *,
    conversation_id: ThreadName,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    body: Recompile | None = None,
    dry_run: bool = False,
) -> str:
    """Compile the system prompt now; returns the text that was saved, or would be in a dry run.

    This happens by itself whenever something the prompt is made of has changed.
    """
    place: Place = await db.read(find, actor, thread_of(conversation_id, body.agent_id if body else None))
    reader = await _reader(models, actor, place.agent.model)
    return await db.write(recompile_prompt, place.agent, place.thread_id, reader=reader, dry_run=dry_run)


async def _check_model(models: Models, actor: Actor, handle: str | None) -> None:
    if handle:
        await models.resolve(actor, handle)


async def _reader(models: Models, actor: Actor, handle: str) -> Reader:
    return reader_of((await describe(models, actor, [handle]))[handle])


async def _state(db: Database, models: Models, actor: Actor, conversation_id: str) -> Conversation:
    found = await db.read(parts_of, actor, conversation_id)
    return (await states_of(models, actor, [found]))[0]
