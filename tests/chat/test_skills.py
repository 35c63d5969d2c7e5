"""Skills of the client's: told to the model with the request that brings them, and with no other."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import until
from tests.chat.test_messages import new_agent

from perdure.testing.scripted import ScriptedModel, call, say

SKILLS: list[Any] = [
    {
        "name": "deploy",
        "description": "Puts a version into service.\nCarefully.",
        "location": "skills/deploy/SKILL.md",
    },
    {"name": "lint", "description": "Checks the style.", "location": "skills/lint/SKILL.md"},
]
SECTION = """

<available_skills>
skills/
├── deploy/SKILL.md [Puts a version into service.]
└── lint/SKILL.md [Checks the style.]
</available_skills>"""
Send = Callable[[Letta, str], object]


@pytest.fixture
def agent_id(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    replies = (call("conversation_search", query="x"), say("done"), say("again"))
    return new_agent(client, scripted.script(model_name, *replies)).id


def blocking(client: Letta, agent_id: str) -> None:
    client.agents.messages.create(agent_id, input="hi", client_skills=SKILLS)


def streaming(client: Letta, agent_id: str) -> None:
    list(client.agents.messages.create(agent_id, input="hi", client_skills=SKILLS, streaming=True))


def to_conversation(client: Letta, agent_id: str) -> None:
    talk = client.conversations.create(agent_id=agent_id)
    list(client.conversations.messages.create(talk.id, input="hi", client_skills=SKILLS))


def in_background(client: Letta, agent_id: str) -> None:
    run = client.agents.messages.create_async(agent_id, input="hi", client_skills=SKILLS)
    until(lambda: client.runs.retrieve(run.id).completed_at)


ROUTES: dict[str, Send] = {
    "blocking": blocking,
    "stream": streaming,
    "async": in_background,
    "conversation": to_conversation,
}


@pytest.mark.parametrize("route", ROUTES)
def test_every_step_of_the_turn_is_told_of_them(
    client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str, route: str
) -> None:
    ROUTES[route](client, agent_id)
    assert len(scripted.requests[model_name]) == 2
    assert all(request.system.endswith(SECTION) for request in scripted.requests[model_name])


def test_the_next_message_without_them_is_told_nothing(
    client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str
) -> None:
    client.agents.messages.create(agent_id, input="hi", client_skills=SKILLS)
    client.agents.messages.create(agent_id, input="and?")
    first, _, last = scripted.requests[model_name]
    assert first.system == last.system + SECTION
    system = next(iter(client.agents.messages.list(agent_id, order="asc")))
    assert "available_skills" not in system.content


def test_they_follow_a_system_prompt_of_the_requests_own(
    client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str
) -> None:
    client.agents.messages.create(agent_id, input="hi", client_skills=SKILLS, override_system="Be brief.")
    assert scripted.requests[model_name][0].system == "Be brief." + SECTION


def test_a_preview_shows_them(client: Letta, http: httpx.Client, agent_id: str) -> None:
    body = {"input": "hi", "client_skills": SKILLS}
    shown = http.post(f"/v1/agents/{agent_id}/messages/preview-raw-payload", json=body)
    assert "Puts a version into service." in shown.text
    talk = client.conversations.create(agent_id=agent_id)
    shown = http.post(f"/v1/conversations/{talk.id}/messages/preview-raw-payload", json=body)
    assert "Puts a version into service." in shown.text
