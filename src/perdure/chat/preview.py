"""What a message would make the server send to the model, without sending or storing anything."""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from perdure.agents.conversations.place import Place, ThreadName, find, thread_of
from perdure.agents.model_facts import reader_of
from perdure.agents.prompt import Reader
from perdure.chat.images import fetch_images
from perdure.chat.inputs import drafts_of, reply_of
from perdure.chat.prepare import client_tool, skills_of
from perdure.chat.routes import CurrentSender
from perdure.chat.schemas import ConversationMessage, SendMessage, SendOptions
from perdure.chat.send import Sender
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import AgentId, new_id
from perdure.loop.asking import ask
from perdure.loop.decide import Progress
from perdure.loop.intake import loaded, opening
from perdure.loop.state import TurnState
from perdure.messages import store as messages
from perdure.messages.pending import pending_in
from perdure.messages.store import Draft, MessageRow
from perdure.providers.preview import body_of
from perdure.runs.leases import Hold, Lease
from perdure.tenancy.actor import Actor, CurrentActor
from perdure.tools.rules import ToolRules

router = APIRouter(prefix="/v1", tags=["messages"])
NOBODY = Hold("", Lease("", 0))


@router.post("/agents/{agent_id}/messages/preview-raw-payload", response_model=dict[str, Any])
async def preview_model_request(
    agent_id: AgentId, body: SendMessage, actor: CurrentActor, sender: CurrentSender
) -> Response:
    """The body of the first call of the model that this message would cause."""
    return await preview(sender, actor, agent_id, body)


@router.post("/conversations/{conversation_id}/messages/preview-raw-payload", response_model=dict[str, Any])
async def preview_conversation_model_request(
    conversation_id: ThreadName, body: ConversationMessage, actor: CurrentActor, sender: CurrentSender
) -> Response:
    """The same for a message to a conversation."""
    return await preview(sender, actor, thread_of(conversation_id, body.agent_id), body)


async def preview(sender: Sender, actor: Actor, thread_id: str, options: SendOptions) -> Response:
    """What the loop would ask in its first step, in the form of the model's vendor."""
    if reply_of(options):
        raise InvalidArgument("messages[0]: what follows a reply depends on tools that have not run yet.")
    db = sender.env.db
    place = await db.read(find, actor, thread_id)
    drafts = await fetch_images(drafts_of(options), sender.fetcher)
    model = await sender.models.resolve(actor, options.override_model or place.agent.model)
    asked_since = sender.env.asked_since()
    state = await db.read(foresee, actor, place, drafts, reader_of(model), asked_since)
    rules = ToolRules.of(state.agent.tool_rules, attached=[tool.name for tool in state.tools])
    theirs = tuple(map(client_tool, options.client_tools or ()))
    skills = skills_of(options)
    asking = ask(state, rules, Progress(), model, options.override_system, theirs, skills)
    return Response(orjson.dumps(body_of(model.client, asking.request)), media_type="application/json")


def foresee(
    conn: Connection,
    actor: Actor,
    place: Place,
    drafts: list[Draft],
    reader: Reader,
    asked_since: datetime | None = None,
) -> TurnState:
    """What a turn would begin with if these messages were accepted now."""
    agent = place.agent
    thread = messages.get_thread(conn, actor, place.thread_id)
    context = messages.context(conn, thread.id)
    if agent.message_buffer_autoclear and pending_in(context) is None:
        context = context[:1]
    _, first = opening(context, None, "", "", asked_since)
    context += [_unsaid(place, draft) for draft in (*first, *drafts)]
    return loaded(conn, actor, NOBODY, reader, agent, thread, context, save=False)


def _unsaid(place: Place, draft: Draft) -> MessageRow:
    return MessageRow(
        id=new_id("message"),
        organization_id=place.agent.organization_id,
        agent_id=place.agent.id,
        thread_id=place.thread_id,
        role=draft.role,
        parts=draft.parts,
        created_at=now(),
        name=draft.name,
    )
