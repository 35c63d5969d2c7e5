"""Routes: send to an agent, read what was said."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from perdure.agents import store as agents
from perdure.chat.requests import Delivery
from perdure.chat.schemas import AsyncMessage, LettaResponse, SendMessage, StreamMessage
from perdure.chat.send import Sender
from perdure.chat.stream import as_response, event_stream
from perdure.db import Db
from perdure.kit.ids import AgentId, MessageId
from perdure.kit.paging import Page, page_query
from perdure.messages.history import Wanted, list_messages, show_message
from perdure.messages.schemas import LettaMessage, MessageType
from perdure.runs import store as runs
from perdure.runs.schemas import Run
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1", tags=["messages"])


async def _sender(request: Request) -> Sender:
    return request.app.state.sender


CurrentSender = Annotated[Sender, Depends(_sender)]
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.post("/agents/{agent_id}/messages", response_model=LettaResponse, responses=STREAM)
async def send_message(
    agent_id: AgentId, body: SendMessage, actor: CurrentActor, sender: CurrentSender
) -> Response:
    """Send to an agent and wait for its answer, or stream it."""
    return await answer(sender, actor, agent_id, body)


@router.post("/agents/{agent_id}/messages/stream", response_model=None, responses=STREAM)
async def stream_message(
    agent_id: AgentId, body: StreamMessage, actor: CurrentActor, sender: CurrentSender
) -> Response:
    """Send to an agent and stream its answer."""
    return await answer(sender, actor, agent_id, body.model_copy(update={"streaming": True}))


@router.post("/agents/{agent_id}/messages/async")
async def send_message_in_background(
    agent_id: AgentId, body: AsyncMessage, db: Db, actor: CurrentActor, sender: CurrentSender
) -> Run:
    """Send to an agent and be told the run at once; it waits in line while another one is worked on."""
    delivery = Delivery(
        "send_message_async", background=True, strategy="enqueue", callback_url=body.callback_url
    )
    run = await sender.send(actor, agent_id, body, delivery)
    return Run.of(await db.read(runs.get, actor, run.run_id))


async def answer(
    sender: Sender, actor: Actor, thread_id: str, body: SendMessage, run_type: str | None = None
) -> Response:
    """One run, read as its caller wishes: as a stream or as one answer."""
    pings = body.streaming and body.include_pings
    kind = run_type or ("send_message_streaming" if body.streaming else "send_message")
    delivery = Delivery(kind, tokens=body.stream_tokens, pings=pings, background=body.background)
    run = await sender.send(actor, thread_id, body, delivery)
    if body.streaming:
        silence = sender.streams.ping_seconds if pings else None
        return event_stream(run, sender.tails, pings=silence)
    return await as_response(run)


@router.get("/agents/{agent_id}/messages")
async def list_agent_messages(
    agent_id: AgentId,
    db: Db,
    actor: CurrentActor,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    conversation_id: str | None = None,
    group_id: str | None = None,
    include_err: Annotated[bool | None, Query(description="False leaves failed messages out.")] = None,
    use_assistant_message: bool = True,
    assistant_message_tool_name: str = "send_message",
    assistant_message_tool_kwarg: str = "message",
    include_return_message_types: Annotated[list[MessageType] | None, Query()] = None,
) -> list[LettaMessage]:
    """What was said to and by an agent; `limit` counts the messages shown."""
    wanted = Wanted(
        agent_id=agent_id,
        thread_id=agent_id if conversation_id == "default" else conversation_id,
        group_id=group_id,
        is_err=False if include_err is False else None,
        types=include_return_message_types,
        tool=(assistant_message_tool_name, assistant_message_tool_kwarg) if use_assistant_message else None,
    )
    await db.read(agents.get, actor, agent_id)
    return await db.read(list_messages, actor, page, wanted)


@router.get("/messages/")
async def list_all_messages(
    db: Db,
    actor: CurrentActor,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    conversation_id: str | None = None,
    include_return_message_types: Annotated[list[MessageType] | None, Query()] = None,
) -> list[LettaMessage]:
    """What was said to and by all agents."""
    wanted = Wanted(
        thread_id=conversation_id, types=include_return_message_types, tool=("send_message", "message")
    )
    return await db.read(list_messages, actor, page, wanted)


@router.get("/messages/{message_id}")
async def retrieve_message(message_id: MessageId, db: Db, actor: CurrentActor) -> list[LettaMessage]:
    """One stored message, as the messages it is shown as."""
    return await db.read(show_message, actor, message_id)
