"""Emptying an agent's view of its history."""

import json
import threading

import httpx
import pytest
from letta_client import ConflictError, Letta
from tests.chat.conftest import Gate

from perdure.testing.scripted import ScriptedModel, call, say


def test_only_the_system_message_stays_in_context(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    block = {"label": "human", "value": "Likes tea."}
    agent = client.agents.create(
        model=scripted.script(model_name, say("one"), say("two")), memory_blocks=[block]
    )
    client.agents.messages.create(agent.id, input="first")
    stored = {message.id for message in client.agents.messages.list(agent.id)}
    client.agents.blocks.update("human", agent_id=agent.id, value="Likes coffee.")
    reset = client.agents.messages.reset(agent.id)
    assert reset is not None
    assert reset.message_ids == agent.message_ids[:1]
    assert {message.id for message in client.agents.messages.list(agent.id)} == stored
    (system,) = client.messages.retrieve(reset.message_ids[0])
    assert "Likes coffee." in system.content
    assert "2 previous messages" in system.content or "- 2 " in system.content
    client.agents.messages.create(agent.id, input="second")
    last = scripted.requests[model_name][-1]
    assert [message.parts[0].text for message in last.messages] == ["second"]


def test_older_agents_can_begin_as_they_did(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = client.agents.create(model=scripted.script(model_name, say("x")), agent_type="memgpt_v2_agent")
    assert len(client.agents.messages.reset(agent.id).message_ids) == 1
    greeted = client.agents.messages.reset(agent.id, add_default_initial_messages=True).message_ids
    assert len(greeted) == len(agent.message_ids) == 4
    assert greeted[1:] != agent.message_ids[1:]
    (login,) = client.messages.retrieve(greeted[-1])
    assert json.loads(login.content)["type"] == "login"


def test_newer_agents_begin_with_nothing(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = client.agents.create(model=scripted.script(model_name, say("x")))
    assert len(client.agents.messages.reset(agent.id, add_default_initial_messages=True).message_ids) == 1


def test_a_history_that_a_run_works_on_is_left_alone(
    client: Letta, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = client.agents.create(model=scripted.script(model_name, gate.before(say("done"))))
    sending = threading.Thread(target=lambda: client.agents.messages.create(agent.id, input="hi"))
    sending.start()
    assert gate.reached.wait(10)
    with pytest.raises(ConflictError, match="another request is currently being processed"):
        client.agents.messages.reset(agent.id)
    gate.opened.set()
    sending.join(10)
    assert len(client.agents.messages.reset(agent.id).message_ids) == 1
    runs = client.runs.list(agent_id=agent.id).items
    assert [run.status for run in runs] == ["completed"]


def test_an_agent_of_somebody_else_is_not_found(http: httpx.Client) -> None:
    path = "/v1/agents/agent-00000000-0000-4000-8000-000000000000/reset-messages"
    assert http.patch(path, json={}).status_code == 404


def test_what_waits_is_denied_for_nobody_could_answer_it_any_more(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rule = {"type": "requires_approval", "tool_name": "memory_insert"}
    script = scripted.script(model_name, call("memory_insert", label="human", new_string="x"), say("ok"))
    agent = client.agents.create(model=script, tool_rules=[rule], memory_blocks=[])
    assert client.agents.messages.create(agent.id, input="x").stop_reason.stop_reason == "requires_approval"
    client.agents.messages.reset(agent.id)
    *_, returned = client.agents.messages.list(agent.id, order="asc")
    assert (returned.message_type, returned.status) == ("tool_return_message", "error")
    assert client.agents.messages.create(agent.id, input="y").messages[-1].content == "ok"
