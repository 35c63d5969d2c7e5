"""Calls that wait: for a person's word, or for the client that runs them."""

import json
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, ConflictError, Letta
from tests.chat.test_messages import kinds, new_agent, send

from perdure.content.parts import returns_of
from perdure.testing.oracle import refusal
from perdure.testing.scripted import ScriptedModel, call, call_raw, say, think

GUARDED = {"type": "requires_approval", "tool_name": "memory_insert"}
EDIT = {"label": "human", "new_string": "Likes tea."}
CLIENT_TOOL = {"name": "open_door", "description": "Opens a door.", "parameters": {"type": "object"}}


def guarded_agent(client: Letta, handle: str, **fields: Any) -> str:
    return new_agent(client, handle, tool_rules=[GUARDED], **fields).id


def reply(client: Letta, agent_id: str, *words: dict[str, Any], **options: Any) -> Any:
    item = {"type": "approval", "approvals": list(words)}
    return client.agents.messages.create(agent_id, messages=[item], **options)


def yes(call_id: str) -> dict[str, Any]:
    return {"type": "approval", "tool_call_id": call_id, "approve": True}


def no(call_id: str, reason: str | None = None) -> dict[str, Any]:
    return {"type": "approval", "tool_call_id": call_id, "approve": False, "reason": reason}


def human(client: Letta, agent_id: str) -> str:
    return client.agents.blocks.retrieve("human", agent_id=agent_id).value


def asked(client: Letta, agent_id: str) -> Any:
    answer = send(client, agent_id)
    assert answer.stop_reason.stop_reason == "requires_approval"
    return answer.messages[-1]


def test_a_guarded_call_waits_and_runs_when_approved(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    script = scripted.script(model_name, think("hm") + call("memory_insert", **EDIT), say("Noted."))
    agent_id = guarded_agent(client, script)
    answer = send(client, agent_id)
    assert kinds(answer.messages) == ["reasoning_message", "approval_request_message"]
    assert "tea" not in human(client, agent_id)
    request = answer.messages[-1]
    pending = client.agents.retrieve(agent_id, include=["agent.pending_approval"]).pending_approval
    assert pending.id == request.id
    answer = reply(client, agent_id, yes(request.tool_call.tool_call_id))
    assert kinds(answer.messages) == ["tool_return_message", "assistant_message"]
    assert answer.messages[0].status == "success"
    assert "Likes tea." in human(client, agent_id)
    assert client.agents.retrieve(agent_id, include=["agent.pending_approval"]).pending_approval is None
    history = scripted.requests[model_name][-1].messages
    assert refusal(history) is None
    assert [message.role for message in history] == ["user", "assistant", "tool"]
    listed = kinds(client.agents.messages.list(agent_id, order="asc"))
    assert listed[-4:] == [
        "approval_request_message",
        "approval_response_message",
        "tool_return_message",
        "assistant_message",
    ]


def test_a_denial_is_told_with_its_reason(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Fine.")))
    request = asked(client, agent_id)
    answer = reply(client, agent_id, no(request.tool_call.tool_call_id, "too personal"))
    assert answer.messages[0].status == "error"
    assert "too personal" in answer.messages[0].tool_return
    assert answer.messages[-1].content == "Fine."
    assert "tea" not in human(client, agent_id)


def test_free_calls_wait_with_guarded_ones_and_all_return_in_order(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    several = (
        call("conversation_search", query="x")
        + call("memory_insert", **EDIT)
        + call("memory_insert", label="human", new_string="Likes milk.")
    )
    agent_id = guarded_agent(client, scripted.script(model_name, several, say("Done.")))
    answer = send(client, agent_id)
    assert kinds(answer.messages) == ["tool_call_message", "approval_request_message"]
    free, first, second = (c.tool_call_id for m in answer.messages for c in m.tool_calls)
    answer = reply(client, agent_id, no(second), yes(first))
    returned = answer.messages[0].tool_returns
    assert [(r.tool_call_id, r.status) for r in returned] == [
        (free, "success"),
        (first, "success"),
        (second, "error"),
    ]
    assert refusal(scripted.requests[model_name][-1].messages) is None


def test_a_message_while_a_call_waits_is_refused_and_creates_no_run(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Ok.")))
    request = asked(client, agent_id)
    for streaming in (False, True):
        body = {"input": "hello?", "streaming": streaming}
        answer = http.post(f"/v1/agents/{agent_id}/messages", json=body)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
        detail = answer.json()["detail"]
        assert (detail["code"], detail["pending_request_id"]) == ("PENDING_APPROVAL", request.id)
        assert "waiting for approval" in detail["message"]
    assert len(list(client.runs.list(agent_id=agent_id))) == 1
    assert reply(client, agent_id, yes(request.tool_call.tool_call_id)).messages[-1].content == "Ok."


def test_a_reply_that_does_not_fit_says_which_calls_it_misses(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    both = call_raw("memory_insert", json.dumps(EDIT), "one") + call_raw(
        "memory_insert", json.dumps(EDIT), "two"
    )
    agent_id = guarded_agent(client, scripted.script(model_name, both, say("Ok.")))
    asked(client, agent_id)
    for words in ([yes("one")], [yes("one"), yes("three")], [yes("one"), yes("one")]):
        with pytest.raises(BadRequestError, match="Invalid tool call IDs"):
            reply(client, agent_id, *words)
    assert len(list(client.runs.list(agent_id=agent_id))) == 1
    assert reply(client, agent_id, yes("one"), yes("two")).messages[-1].content == "Ok."


def test_a_reply_to_nothing_is_refused(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, say("Ok.")))
    with pytest.raises(BadRequestError, match="no tool call is currently awaiting approval"):
        reply(client, agent_id, yes("call-0"))


def test_the_same_reply_again_tells_the_same_without_asking_the_model(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Ok.")))
    request = asked(client, agent_id)
    first = reply(client, agent_id, yes(request.tool_call.tool_call_id))
    again = reply(client, agent_id, yes(request.tool_call.tool_call_id))
    assert [m.id for m in again.messages] == [m.id for m in first.messages]
    assert again.usage == first.usage
    assert len(scripted.requests[model_name]) == 2


def test_the_older_form_answers_the_only_call(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Ok.")))
    request = asked(client, agent_id)
    item = {"type": "approval", "approve": True, "approval_request_id": request.id}
    answer = client.agents.messages.create(agent_id, messages=[item])
    assert answer.messages[0].status == "success"


def test_a_message_after_the_reply_joins_at_the_next_step(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Ok.")))
    request = asked(client, agent_id)
    items = [
        {"type": "approval", "approvals": [yes(request.tool_call.tool_call_id)]},
        {"role": "user", "content": "and be quick"},
    ]
    client.agents.messages.create(agent_id, messages=items)
    history = scripted.requests[model_name][-1].messages
    assert refusal(history) is None
    assert [message.role for message in history] == ["user", "assistant", "tool", "user"]


def test_requests_are_streamed_as_requests(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Ok.")))
    frames = list(
        client.agents.messages.create(
            agent_id, input="hi", streaming=True, stream_tokens=True, include_pings=False
        )
    )
    pieces = [f for f in frames if f.message_type == "approval_request_message"]
    assert json.loads("".join(p.tool_call.arguments or "" for p in pieces)) == EDIT
    stored = client.agents.retrieve(agent_id, include=["agent.pending_approval"]).pending_approval
    assert {p.id for p in pieces} == {stored.id}
    assert kinds(frames)[-2:] == ["stop_reason", "usage_statistics"]
    item = {"type": "approval", "approvals": [no(stored.tool_call.tool_call_id)]}
    frames = list(
        client.agents.messages.create(
            agent_id, messages=[item], streaming=True, stream_tokens=True, include_pings=False
        )
    )
    assert kinds(frames)[0] == "tool_return_message"


def test_cancelling_what_waits_denies_it_and_frees_the_agent(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Free.")))
    request = asked(client, agent_id)
    assert client.agents.messages.cancel(agent_id) == {request.run_id: "cancelled"}
    assert send(client, agent_id, "go on").messages[0].content == "Free."
    history = scripted.requests[model_name][-1].messages
    assert refusal(history) is None
    with pytest.raises(BadRequestError):
        reply(client, agent_id, yes("another"))


def test_a_clients_own_tool_is_offered_called_and_answered(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(
        client, scripted.script(model_name, call("open_door", which="left"), say("It is open."))
    )
    answer = client.agents.messages.create(agent.id, input="open it", client_tools=[CLIENT_TOOL])
    assert answer.stop_reason.stop_reason == "requires_approval"
    assert "open_door" in [tool.name for tool in scripted.requests[model_name][0].tools]
    call_id = answer.messages[-1].tool_call.tool_call_id
    returned = {"tool_call_id": call_id, "tool_return": "creak", "status": "success"}
    item = {"type": "tool_return", "tool_returns": [returned]}
    answer = client.agents.messages.create(agent.id, messages=[item], client_tools=[CLIENT_TOOL])
    assert answer.messages[0].tool_return == "creak"
    assert answer.messages[-1].content == "It is open."
    told = scripted.requests[model_name][-1].messages
    assert "creak" in returns_of(told[-1].parts)[0].text


def test_limits_count_the_calls_from_before_the_approval(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rules = [
        GUARDED,
        {"type": "max_count_per_step", "tool_name": "conversation_search", "max_count_limit": 1},
    ]
    search = call("conversation_search", query="x")
    script = scripted.script(model_name, search, call("memory_insert", **EDIT), say("Ok."))
    agent_id = new_agent(client, script, tool_rules=rules).id
    request = asked(client, agent_id)
    reply(client, agent_id, yes(request.tool_call.tool_call_id))
    offered = [tool.name for tool in scripted.requests[model_name][-1].tools]
    assert "conversation_search" not in offered


def test_a_reply_must_come_first(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT)))
    request = asked(client, agent_id)
    items = [
        {"role": "user", "content": "hm"},
        {"type": "approval", "approvals": [yes(request.tool_call.tool_call_id)]},
    ]
    answer = http.post(f"/v1/agents/{agent_id}/messages", json={"messages": items})
    assert answer.status_code == 400
    assert "messages[1]" in answer.json()["detail"]


def test_a_request_that_waits_outlives_a_new_conversation_elsewhere(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent_id = guarded_agent(client, scripted.script(model_name, call("memory_insert", **EDIT), say("Ok.")))
    asked(client, agent_id)
    other = client.conversations.create(agent_id=agent_id)
    answer = http.post(f"/v1/conversations/{other.id}/messages", json={"input": "hi", "streaming": False})
    assert answer.json()["messages"][-1]["content"] == "Ok."
    with pytest.raises(ConflictError):
        send(client, agent_id)


def test_an_agent_that_begins_each_turn_afresh_keeps_what_waits(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    edit = call("memory_insert", **EDIT)
    script = scripted.script(model_name, say("Hello."), edit, say("Noted."), say("Afresh."))
    agent_id = guarded_agent(client, script, message_buffer_autoclear=True)
    send(client, agent_id)
    request = asked(client, agent_id)
    with pytest.raises(ConflictError):
        send(client, agent_id)
    answer = reply(client, agent_id, yes(request.tool_call.tool_call_id))
    assert kinds(answer.messages) == ["tool_return_message", "assistant_message"]
    assert "tea" in human(client, agent_id)
    assert send(client, agent_id).messages[-1].content == "Afresh."
