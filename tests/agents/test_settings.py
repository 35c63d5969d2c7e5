"""Model settings through the official client: merged by name, shown as in force."""

import pytest


@pytest.fixture
def agent(client, model_name):
    return client.agents.create(model=f"scripted/{model_name}")


def openai(**settings):
    return {"provider_type": "openai", **settings}


def test_settings_merge_by_name(client, agent):
    client.agents.update(agent.id, model_settings=openai(temperature=0.2, max_output_tokens=100))
    changed = client.agents.update(agent.id, model_settings=openai(parallel_tool_calls=False))
    settings = changed.api_model_settings
    assert (settings.temperature, settings.max_output_tokens) == (0.2, 100)
    assert settings.parallel_tool_calls is False
    assert changed.llm_config.temperature == 0.2
    assert changed.llm_config.max_tokens == 100
    assert changed.llm_config.parallel_tool_calls is False


def test_unnamed_settings_are_not_made_up(agent, client):
    changed = client.agents.update(agent.id, model_settings=openai(max_output_tokens=7))
    assert changed.api_model_settings.temperature is None


def test_fields_nobody_knows_survive(client, agent, http):
    body = {"model_settings": openai(top_k=3, reasoning={"reasoning_effort": "low", "x": 1})}
    shown = http.patch(f"/v1/agents/{agent.id}", json=body).json()["model_settings"]
    assert shown["top_k"] == 3
    assert shown["reasoning"] == {"reasoning_effort": "low", "x": 1}


def test_an_agents_response_format_and_the_settings_are_one(client, agent):
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    changed = client.agents.update(agent.id, response_format=schema)
    assert changed.response_format.type == "json_schema"
    assert changed.api_model_settings.response_format == changed.response_format
    assert client.agents.update(agent.id, response_format=None).response_format is None


def test_the_old_object_chooses_model_and_settings(client, model_name):
    config = {
        "model": model_name,
        "model_endpoint_type": "openai",
        "context_window": 9000,
        "handle": f"scripted/{model_name}",
        "temperature": 0.5,
    }
    made = client.agents.create(llm_config=config)
    assert made.model == f"scripted/{model_name}"
    assert made.llm_config.context_window == 9000
    assert made.api_model_settings.temperature == 0.5
    again = client.agents.update(made.id, llm_config={**config, "temperature": 0.6})
    assert again.api_model_settings.temperature == 0.6


def test_deprecated_fields_still_work(client, agent, http):
    changed = client.agents.update(agent.id, max_tokens=50, parallel_tool_calls=False)
    assert changed.api_model_settings.max_output_tokens == 50
    assert changed.api_model_settings.parallel_tool_calls is False
    assert client.agents.update(agent.id, max_tokens=None).api_model_settings.max_output_tokens is None
    off = client.agents.update(agent.id, reasoning=False)
    assert off.llm_config.enable_reasoner is False
    assert client.agents.update(agent.id, reasoning=True).llm_config.enable_reasoner is True


def test_compaction_settings_are_filled_in_and_merged(client, agent):
    client.agents.update(agent.id, compaction_settings={"mode": "all"})
    changed = client.agents.update(agent.id, compaction_settings={"clip_chars": 10})
    settings = changed.compaction_settings
    assert (settings.mode, settings.clip_chars, settings.sliding_window_percentage) == ("all", 10, 0.3)
    assert settings.model == agent.model


def test_an_agent_of_a_deleted_provider_can_still_be_read(client, http):
    made = http.post(
        "/v1/providers/",
        json={"name": "gone", "provider_type": "openai", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"},
    )
    agent = client.agents.create(model="gone/some/model", model_settings=openai(temperature=0.1))
    assert (agent.llm_config.provider_name, agent.llm_config.model) == ("gone", "some/model")
    http.delete(f"/v1/providers/{made.json()['id']}")
    shown = client.agents.retrieve(agent.id)
    assert shown.model == "gone/some/model"
    assert shown.llm_config.model == "some/model"
    assert shown.api_model_settings.temperature == 0.1
    changed = client.agents.update(agent.id, name="Still here")
    assert changed.name == "Still here"
    assert len(client.agents.list().items) == 1
