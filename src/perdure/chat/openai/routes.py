"""Routes for OpenAI's clients.

Their base URL is `/openai/v1`: there also the list of models is theirs. Under `/v1`, where `/v1/models`
has the older shape, they can talk, and only their list of models cannot be read.
"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from perdure.agents.named import find_agent
from perdure.agents.store import AgentRow
from perdure.chat.openai.agents import find_history, list_agents
from perdure.chat.openai.completions import Completion, chunk_stream
from perdure.chat.openai.errors import OpenAIRoute
from perdure.chat.openai.request import ChatCompletionRequest, ResponseRequest, SaidMessage, sending
from perdure.chat.openai.responses import Told, response_stream
from perdure.chat.requests import Delivery
from perdure.chat.routes import CurrentSender
from perdure.chat.schemas import SendMessage
from perdure.chat.send import Sender
from perdure.chat.stream import HEADERS
from perdure.db import Db
from perdure.loop.events import TurnFailed
from perdure.runs.live import LiveRun
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(tags=["openai"], route_class=OpenAIRoute)
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


class OpenAIModel(BaseModel):
    """An agent as a model; its name is for those who show it."""

    id: str
    object: str = "model"
    created: int
    owned_by: str = "perdure"
    name: str

    @classmethod
    def of(cls, agent: AgentRow) -> "OpenAIModel":
        """The model that stands for an agent."""
        return cls(id=agent.id, created=int(agent.created_at.timestamp()), name=agent.name)


class OpenAIModels(BaseModel):
    """A list of models."""

    object: str = "list"
    data: list[OpenAIModel]


@router.get("/openai/v1/models")
async def list_models(db: Db, actor: CurrentActor) -> OpenAIModels:
    """All agents, as models."""
    return OpenAIModels(data=[OpenAIModel.of(agent) for agent in await db.read(list_agents, actor)])


@router.get("/openai/v1/models/{model}")
async def retrieve_model(model: str, db: Db, actor: CurrentActor) -> OpenAIModel:
    """One agent, as a model."""
    return OpenAIModel.of(await db.read(find_agent, actor, model, "model"))


@router.post("/v1/chat/completions", response_model=None, responses=STREAM)
@router.post("/openai/v1/chat/completions", response_model=None, responses=STREAM)
async def create_chat_completion(
    body: ChatCompletionRequest, db: Db, actor: CurrentActor, sender: CurrentSender
) -> Response | dict[str, Any]:
    """Tell an agent the last user message and answer as a chat completion."""
    thread_id = await db.read(find_history, actor, body.model)
    told = sending(body.messages, "messages", stream=bool(body.stream))
    run = await _send(sender, actor, thread_id, told, "chat_completion")
    completion = Completion(run.run_id, body.model)
    if not body.stream:
        return completion.whole(await _ended(run))
    usage = body.stream_options is not None and body.stream_options.include_usage
    chunks = chunk_stream(run, completion, usage=usage, silence=sender.streams.ping_seconds)
    return StreamingResponse(chunks, media_type="text/event-stream", headers=HEADERS)


@router.post("/v1/responses", response_model=None, responses=STREAM)
@router.post("/openai/v1/responses", response_model=None, responses=STREAM)
async def create_response(
    body: ResponseRequest, db: Db, actor: CurrentActor, sender: CurrentSender
) -> Response | dict[str, Any]:
    """Tell an agent the last user message and answer as a response."""
    thread_id = await db.read(find_history, actor, body.model)
    said = [SaidMessage(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    told = sending(said, "input", stream=bool(body.stream))
    run = await _send(sender, actor, thread_id, told, "response")
    response = Told(run.run_id, body.model)
    if not body.stream:
        return response.whole(await _ended(run))
    events = response_stream(run, response, silence=sender.streams.ping_seconds)
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


async def _send(sender: Sender, actor: Actor, thread_id: str, body: SendMessage, kind: str) -> LiveRun:
    return await sender.send(actor, thread_id, body, Delivery(kind, tokens=body.stream_tokens))


async def _ended(run: LiveRun) -> list[Any]:
    try:
        return await run.ended()
    except TurnFailed as failed:
        raise failed.cause from failed
