"""Asking an agent's model once, without the agent."""

from typing import Any

import httpx
import pytest
from letta_client import Letta

from perdure.content.parts import Text
from perdure.providers.base import ModelRateLimited, Usage
from perdure.testing.scripted import ScriptedModel, fail, say, think


@pytest.fixture
def agent_id(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    handle = scripted.script(
        model_name, think("hm") + say("Forty-two.", usage=Usage(7, 3, reasoning_tokens=2))
    )
    settings: Any = {"provider_type": "openai", "temperature": 0.3}
    return client.agents.create(model=handle, model_settings=settings).id


def generate(http: httpx.Client, agent_id: str, **body: Any) -> httpx.Response:
    return http.post(f"/v1/agents/{agent_id}/generate", json=body)


def test_a_question_is_answered_without_memory_and_not_stored(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str
) -> None:
    before = client.agents.retrieve(agent_id).message_ids
    answer = generate(http, agent_id, prompt="  What is six times seven?  ", system_prompt="Be short.").json()
    assert (answer["content"], answer["model"]) == ("Forty-two.", f"scripted/{model_name}")
    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 3, 10)
    assert (usage["step_count"], usage["reasoning_tokens"], usage["message_type"]) == (
        1,
        2,
        "usage_statistics",
    )
    (request,) = scripted.requests[model_name]
    assert (request.system, request.tools, request.temperature) == ("Be short.", (), 0.3)
    assert [message.parts for message in request.messages] == [(Text("What is six times seven?"),)]
    assert client.agents.retrieve(agent_id).message_ids == before
    assert client.runs.list(agent_id=agent_id).items == []


def test_a_schema_and_another_model_go_to_the_provider(
    http: httpx.Client, scripted: ScriptedModel, model_name: str, agent_id: str
) -> None:
    other = scripted.script(f"{model_name}-other", say('{"n": 42}'))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    answer = generate(http, agent_id, prompt="?", override_model=other, response_schema=schema).json()
    assert (answer["content"], answer["model"]) == ('{"n": 42}', other)
    (request,) = scripted.requests[f"{model_name}-other"]
    assert request.system == ""
    assert request.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema},
    }
    assert scripted.requests[model_name] == []


@pytest.mark.parametrize(
    "body", [{"prompt": ""}, {"prompt": " \n"}, {}, {"prompt": "?", "response_schema": "x"}]
)
def test_a_blank_question_is_none(http: httpx.Client, agent_id: str, body: Any) -> None:
    assert generate(http, agent_id, **body).status_code == 422


def test_an_unknown_model_or_agent_is_not_found(http: httpx.Client, agent_id: str) -> None:
    assert generate(http, agent_id, prompt="?", override_model="nobody/nothing").status_code == 404
    unknown = "agent-00000000-0000-4000-8000-000000000000"
    assert generate(http, unknown, prompt="?").status_code == 404


def test_a_provider_that_fails_is_a_bad_gateway(
    http: httpx.Client, scripted: ScriptedModel, model_name: str, agent_id: str
) -> None:
    scripted.script(model_name, fail(ModelRateLimited("Provider 'x' asks to slow down."), after=say("Forty")))
    answer = generate(http, agent_id, prompt="?")
    assert answer.status_code == 502
    assert answer.json()["detail"] == "Provider 'x' asks to slow down."
    assert answer.json()["error"]["type"] == "llm_rate_limit"
