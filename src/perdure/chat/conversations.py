"""Routes: send to a conversation, read what was said in it."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from perdure.agents.conversations.place import DEFAULT, ThreadName, find, thread_of
from perdure.chat.routes import STREAM, CurrentSender, answer
from perdure.chat.schemas import ConversationMessage, LettaResponse
from perdure.db import Db
from perdure.kit.ids import AgentId
from perdure.kit.paging import Page, page_query
from perdure.messages.history import Wanted, list_messages
from perdure.messages.schemas import LettaMessage, MessageType
from perdure.tenancy.actor import CurrentActor

router = APIRouter(prefix="/v1/conversations/{conversation_id}", tags=["conversations"])

RUN_TYPE = "send_conversation_message"


@router.post("/messages", response_model=LettaResponse, responses=STREAM)
async def send_message(
    conversation_id: ThreadName, body: ConversationMessage, actor: CurrentActor, sender: CurrentSender
) -> Response:
    """Send to a conversation and stream its answer, or wait for it with `streaming: false`."""
    return await answer(sender, actor, thread_of(conversation_id, body.agent_id), body, RUN_TYPE)


@router.get("/messages")
async def list_conversation_messages(
    conversation_id: ThreadName,
    db: Db,
    actor: CurrentActor,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    agent_id: AgentId | None = None,
    group_id: str | None = None,
    include_err: Annotated[bool | None, Query(description="False leaves failed messages out.")] = None,
    include_return_message_types: Annotated[list[MessageType] | None, Query()] = None,
) -> list[LettaMessage]:
    """What was said in a conversation; `limit` counts the messages shown."""
    if conversation_id == DEFAULT and agent_id is None:
        return []
    place = await db.read(find, actor, thread_of(conversation_id, agent_id))
    wanted = Wanted(
        thread_id=place.thread_id,
        group_id=group_id,
        is_err=False if include_err is False else None,
        types=include_return_message_types,
        tool=("send_message", "message"),
    )
    return await db.read(list_messages, actor, page, wanted)
