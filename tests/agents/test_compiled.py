"""The stored system prompt: compiled at creation, anew when something it is made of has changed."""

import json

import pytest

from perdure.agents.compiled import compiled_prompt
from perdure.agents.prompt import stamp_of
from perdure.agents.store import get
from perdure.messages import store as messages


@pytest.fixture
def agent(client, model_name):
    return client.agents.create(
        model=f"scripted/{model_name}",
        system="Be brief.",
        memory_blocks=[{"label": "human", "value": "Ada"}],
        tool_rules=[{"type": "max_count_per_step", "tool_name": "memory_insert", "max_count_limit": 2}],
        include_base_tool_rules=False,
    )


@pytest.fixture
def now_compiled(live, client):
    """What the loop would send, and whether that is what is stored."""

    def prompt(agent, *, save=False):
        actor = live.actor_of(agent.id)

        def work(conn):
            stored = messages.prompt_of(conn, agent.id)
            row = get(conn, actor, agent.id)
            return compiled_prompt(conn, row, agent.id, save=save), stored[0]

        return live.run(work, write=True)

    return prompt


def first_message(client, agent):
    return client.agents.messages.list(agent.id, order="asc").items[0].content


def test_the_first_message_is_the_compiled_prompt_with_rules(client, agent):
    text = first_message(client, agent)
    assert text.startswith("Be brief.\n\n<memory_blocks>")
    assert "<tool_usage_rules>" in text
    assert f"- AGENT_ID: {agent.id}" in text


def test_nothing_changed_nothing_compiled(agent, now_compiled):
    text, stored = now_compiled(agent)
    assert text == stored


@pytest.mark.parametrize(
    "change",
    [
        lambda client, agent: client.blocks.update(agent.blocks[0].id, value="Grace"),
        lambda client, agent: client.blocks.update(agent.blocks[0].id, description="New."),
        lambda client, agent: client.blocks.update(agent.blocks[0].id, read_only=True),
        lambda client, agent: client.blocks.delete(agent.blocks[0].id),
        lambda client, agent: client.agents.blocks.detach(agent.blocks[0].id, agent_id=agent.id),
        lambda client, agent: client.agents.update(agent.id, system="Be long."),
        lambda client, agent: client.agents.update(agent.id, tool_rules=[]),
    ],
)
def test_every_change_that_matters_compiles_anew(client, agent, now_compiled, change):
    change(client, agent)
    text, stored = now_compiled(agent, save=True)
    assert text != stored
    assert now_compiled(agent) == (text, text)
    assert first_message(client, agent) == text


@pytest.mark.parametrize(
    "change",
    [
        lambda client, agent: client.agents.update(agent.id, name="Other", tags=["a"]),
        lambda client, agent: client.blocks.update(agent.blocks[0].id, value="Ada"),
        lambda client, agent: client.agents.update(agent.id, model_settings={"provider_type": "openai"}),
    ],
)
def test_other_changes_do_not(client, agent, now_compiled, change):
    change(client, agent)
    text, stored = now_compiled(agent)
    assert text == stored


def test_recompiling_returns_what_it_saves(client, agent):
    before = first_message(client, agent)
    client.agents.update(agent.id, system="Be long.")
    dry = json.loads(client.agents.recompile(agent.id, dry_run=True))
    assert dry.startswith("Be long.")
    assert first_message(client, agent) == before
    saved = json.loads(client.agents.recompile(agent.id))
    assert saved == first_message(client, agent) == dry
    assert stamp_of(saved) == stamp_of(before)


def test_recompiling_can_update_the_timestamp(client, agent, http):
    answer = http.post(f"/v1/agents/{agent.id}/system-prompt/recompile", params={"update_timestamp": True})
    assert stamp_of(answer.json()) is not None
    assert answer.json() == first_message(client, agent)


def test_the_prompt_tells_the_agents_own_time(client, model_name):
    agent = client.agents.create(model=f"scripted/{model_name}", timezone="Asia/Tokyo")
    assert "JST+0900" in first_message(client, agent)


def test_the_context_overview_adds_up(http, agent):
    shown = http.get(f"/v1/agents/{agent.id}/context").json()
    parts = [value for name, value in shown.items() if name.startswith("num_tokens_")]
    assert shown["context_window_size_current"] == sum(parts)
    assert shown["context_window_size_max"] == 128_000
    assert shown["system_prompt"] == "Be brief."
    assert "<human>" in shown["core_memory"]
    assert shown["tool_usage_rules"].startswith("<tool_usage_rules>")
    assert len(shown["functions_definitions"]) == 3
    assert [message["role"] for message in shown["messages"]] == ["system"]
