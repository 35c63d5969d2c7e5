"""Requests for approval that nobody answered in time."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, Letta
from sqlalchemy import update
from tests.chat.test_approvals import CLIENT_TOOL, GUARDED, asked, human, reply, yes
from tests.chat.test_messages import new_agent, send
from tests.conftest import LiveServer

from perdure.content.parts import returns_of
from perdure.kit.clock import now
from perdure.messages.tables import messages
from perdure.runs.settings import RunSettings
from perdure.testing.oracle import refusal
from perdure.testing.scripted import ScriptedModel, call, say


def grow_old(live: LiveServer, request_id: str, hours: float = 2) -> None:
    """Let a request have been made so long ago."""
    old = update(messages).where(messages.c.id == request_id)
    then = now() - timedelta(hours=hours)
    live.run(lambda conn: conn.execute(old.values(created_at=then)), write=True)


@pytest.fixture
def agent_id(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    """An agent that looks something up freely and wants to note something."""
    free, guarded = (
        call("conversation_search", query="x"),
        call("memory_insert", label="human", new_string="Tea."),
    )
    model = scripted.script(model_name, free + guarded, say("Well then."))
    return new_agent(client, model, tool_rules=[GUARDED]).id


def pending(client: Letta, agent_id: str) -> Any:
    return client.agents.retrieve(agent_id, include=["agent.pending_approval"]).pending_approval


def test_the_next_message_is_taken_and_the_model_is_told(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str
) -> None:
    request = asked(client, agent_id)
    grow_old(live, request.id)
    assert send(client, agent_id, "and now?").messages[-1].content == "Well then."
    told = scripted.requests[model_name][-1].messages
    assert refusal(told) is None
    returns = [part for message in told for part in returns_of(message.parts)]
    assert len(returns) == 2
    assert all("expired" in part.text and part.status == "error" for part in returns)
    assert told[-1].parts[0].text == "and now?"
    assert "Tea." not in human(client, agent_id)
    listed = [message.message_type for message in client.agents.messages.list(agent_id, order="asc")]
    assert listed[-4:] == [
        "approval_response_message",
        "tool_return_message",
        "user_message",
        "assistant_message",
    ]


def test_a_reply_that_comes_too_late_is_refused_and_says_why(
    live: LiveServer, client: Letta, agent_id: str
) -> None:
    request = asked(client, agent_id)
    grow_old(live, request.id)
    with pytest.raises(BadRequestError, match=r"no tool call is currently awaiting approval.*expired"):
        reply(client, agent_id, *(yes(call.tool_call_id) for call in request.tool_calls))
    assert send(client, agent_id).messages[-1].content == "Well then."
    assert "Tea." not in human(client, agent_id)


def test_a_reply_that_comes_after_the_next_message_is_refused_too(
    live: LiveServer, client: Letta, agent_id: str
) -> None:
    request = asked(client, agent_id)
    grow_old(live, request.id)
    send(client, agent_id)
    with pytest.raises(BadRequestError, match="no tool call is currently awaiting approval"):
        reply(client, agent_id, *(yes(call.tool_call_id) for call in request.tool_calls))


def test_a_reply_to_what_was_cancelled_is_refused(client: Letta, agent_id: str) -> None:
    request = asked(client, agent_id)
    client.agents.messages.cancel(agent_id)
    with pytest.raises(BadRequestError, match="no tool call is currently awaiting approval"):
        reply(client, agent_id, *(yes(call.tool_call_id) for call in request.tool_calls))


def test_what_has_expired_is_not_shown_as_pending(live: LiveServer, client: Letta, agent_id: str) -> None:
    request = asked(client, agent_id)
    assert pending(client, agent_id).id == request.id
    grow_old(live, request.id)
    assert pending(client, agent_id) is None
    (shown,) = client.agents.list(include=["agent.pending_approval"])
    assert shown.pending_approval is None


def test_a_preview_shows_what_the_next_message_would_find(
    live: LiveServer, client: Letta, http: httpx.Client, agent_id: str
) -> None:
    request = asked(client, agent_id)
    path = f"/v1/agents/{agent_id}/messages/preview-raw-payload"
    assert http.post(path, json={"input": "x"}).status_code == 409
    grow_old(live, request.id)
    answer = http.post(path, json={"input": "x"})
    assert answer.status_code == 200
    assert answer.text.count("expired before anybody answered") == 2


def test_calls_of_the_clients_tools_expire_alike_in_a_conversation(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, call("open_door"), say("Well then.")))
    talk = client.conversations.create(agent_id=agent.id)
    tools: list[Any] = [CLIENT_TOOL]
    frames = list(client.conversations.messages.create(talk.id, input="hi", client_tools=tools))
    (request,) = [frame for frame in frames if frame.message_type == "approval_request_message"]
    grow_old(live, request.id)
    frames = list(client.conversations.messages.create(talk.id, input="and now?"))
    assert [frame.content for frame in frames if frame.message_type == "assistant_message"] == ["Well then."]


def test_a_young_request_still_waits(live: LiveServer, client: Letta, agent_id: str) -> None:
    request = asked(client, agent_id)
    grow_old(live, request.id, hours=0.9)
    assert reply(client, agent_id, yes(request.tool_call.tool_call_id)).messages[-1].content == "Well then."
    assert "Tea." in human(client, agent_id)


def test_without_the_setting_calls_wait_for_ever() -> None:
    assert RunSettings().approval_limit is None
    assert RunSettings(approval_hours=0.5).approval_limit == timedelta(minutes=30)
