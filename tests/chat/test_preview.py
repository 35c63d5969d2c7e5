"""The body of a call that is not made is the body of the call that is made."""

from typing import Any

import httpx
import pytest
from letta_client import Letta

from perdure.testing.model_server import ModelServer
from perdure.testing.scripted import ScriptedModel, call, say


@pytest.fixture
def served(client: Letta, handle: str) -> str:
    """An agent behind one of the wire formats that are ours."""
    block = {"label": "human", "value": "Likes tea."}
    return client.agents.create(model=handle, memory_blocks=[block]).id


def preview(http: httpx.Client, agent_id: str, **body: Any) -> Any:
    answer = http.post(f"/v1/agents/{agent_id}/messages/preview-raw-payload", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_is_previewed_is_what_is_sent(http: httpx.Client, models: ModelServer, served: str) -> None:
    first = 'call:conversation_search {"query": "tea"}\nstep:\nsay:Hello.'
    for text in (first, "say:Again."):
        foreseen = preview(http, served, input=text)
        sent = len(models.requests)
        http.post(f"/v1/agents/{served}/messages", json={"input": text}).raise_for_status()
        assert models.requests[sent]["body"] == foreseen
    assert "Likes tea." in str(foreseen)


def test_nothing_is_sent_and_nothing_stored(
    http: httpx.Client, client: Letta, models: ModelServer, served: str
) -> None:
    before, sent = client.agents.retrieve(served), len(models.requests)
    preview(http, served, messages=[{"role": "user", "content": "say:hi"}], streaming=True)
    assert client.agents.retrieve(served) == before
    assert client.runs.list(agent_id=served).items == []
    assert len(models.requests) == sent


def test_another_system_prompt_and_model_show(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str, served: str
) -> None:
    assert "Be a pirate." in str(preview(http, served, input="hi", override_system="Be a pirate."))
    other = preview(http, served, input="hi", override_model=scripted.script(model_name, say("no")))
    assert "own form" in other["note"]
    assert other["request"]["model"] == model_name
    assert other["request"]["messages"][-1]["parts"] == [{"text": "hi"}]
    assert "conversation_search" in [tool["name"] for tool in other["request"]["tools"]]
    assert scripted.requests[model_name] == []


def test_while_a_call_waits_a_preview_is_refused_as_the_message_would_be(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rule: Any = {"type": "requires_approval", "tool_name": "conversation_search"}
    handle = scripted.script(model_name, call("conversation_search", query="x"), say("ok"))
    agent = client.agents.create(model=handle, tool_rules=[rule]).id
    request = client.agents.messages.create(agent, input="hi").messages[-1]
    path = f"/v1/agents/{agent}/messages/preview-raw-payload"
    answer = http.post(path, json={"input": "well?"})
    assert (answer.status_code, answer.json()["detail"]["code"]) == (409, "PENDING_APPROVAL")
    word = {"type": "approval", "tool_call_id": request.tool_call.tool_call_id, "approve": True}
    reply = {"messages": [{"type": "approval", "approvals": [word]}]}
    assert http.post(path, json=reply).status_code == 400


def test_a_clients_own_tools_are_part_of_the_preview(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = client.agents.create(model=scripted.script(model_name, say("ok"))).id
    shown = preview(http, agent, input="hi", client_tools=[{"name": "open_door"}])
    assert "open_door" in [tool["name"] for tool in shown["request"]["tools"]]


def test_what_could_not_be_sent_cannot_be_previewed(http: httpx.Client, served: str) -> None:
    path = f"/v1/agents/{served}/messages/preview-raw-payload"
    assert http.post(path, json={"input": " "}).status_code == 400
    assert http.post(path, json={}).status_code == 422
    assert http.post(path, json={"input": "x", "override_model": "no/body"}).status_code == 404


def test_a_conversation_is_previewed_with_its_own_history(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = client.agents.create(model=scripted.script(model_name, say("ok"))).id
    client.agents.messages.create(agent, input="not here")
    conversation = client.conversations.create(agent_id=agent).id
    path = f"/v1/conversations/{conversation}/messages/preview-raw-payload"
    told = http.post(path, json={"input": "here"}).json()["request"]["messages"]
    assert [message["parts"] for message in told] == [[{"text": "here"}]]
