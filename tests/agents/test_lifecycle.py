"""Agents through the official client: create, read, change, delete."""

import uuid

import pytest
from letta_client import APIStatusError, BadRequestError, NotFoundError, UnprocessableEntityError

ALL = ["agent.blocks", "agent.tools", "agent.tags", "agent.secrets"]


@pytest.fixture
def new(client, model_name):
    def create(**fields):
        return client.agents.create(**{"model": f"scripted/{model_name}"} | fields)

    return create


def names_of(agent):
    return [tool.name for tool in agent.tools]


def test_an_agent_with_nothing_but_a_model_has_sensible_defaults(client, new, model_name):
    agent = new()
    assert agent.agent_type == "letta_v1_agent"
    assert agent.name.isalpha()
    assert agent.name[0].isupper()
    assert names_of(agent) == ["conversation_search", "memory_insert", "memory_replace"]
    assert agent.blocks == agent.memory.blocks == []
    assert agent.tool_rules == []
    assert agent.timezone == "UTC"
    assert agent.system.startswith("<base_instructions>")
    assert agent.model == agent.llm_config.handle == f"scripted/{model_name}"
    assert agent.llm_config.context_window == 128_000
    assert agent.api_model_settings.parallel_tool_calls is True
    assert agent.compaction_settings.mode == "sliding_window"
    assert agent.compaction_settings.model == agent.model
    assert agent.max_files_open == 10
    assert len(agent.message_ids) == 1
    assert agent.created_at == agent.updated_at
    assert agent.managed_group is agent.pending_approval is agent.embedding_config is None


def test_an_agent_without_a_model_gets_the_default_one(client):
    assert "/" in client.agents.create().model


def test_reading_includes_only_what_is_asked_for(client, new):
    agent = new(memory_blocks=[{"label": "human", "value": "Ada"}], tags=["a"], secrets={"TOKEN": "hush"})
    bare = client.agents.retrieve(agent.id)
    assert bare.blocks == bare.tools == bare.tags == bare.secrets == bare.memory.blocks == []
    full = client.agents.retrieve(agent.id, include=ALL)
    assert [block.label for block in full.blocks] == ["human"]
    assert full.blocks == full.memory.blocks
    assert full.tags == ["a"]
    assert len(full.tools) == 3
    assert [secret.key for secret in full.secrets] == ["TOKEN"]
    some = client.agents.retrieve(agent.id, include=["agent.tags"])
    assert (some.tags, some.tools) == (["a"], [])
    with pytest.raises(UnprocessableEntityError):
        client.agents.retrieve(agent.id, include=["agent.nonsense"])


def test_secrets_are_written_never_read(client, new, http):
    agent = new(secrets={"TOKEN": "hush-hush"})
    shown = http.get(f"/v1/agents/{agent.id}", params={"include": "agent.secrets"})
    assert "hush" not in shown.text
    assert shown.json()["secrets"][0]["key"] == "TOKEN"
    assert shown.json()["tool_exec_environment_variables"] == shown.json()["secrets"]
    changed = client.agents.update(agent.id, secrets={"OTHER": "x"})
    assert [secret.key for secret in changed.secrets] == ["OTHER"]
    older = http.post("/v1/agents/", json={"tool_exec_environment_variables": {"A": "b"}}).json()
    assert [secret["key"] for secret in older["secrets"]] == ["A"]


def test_blocks_are_made_and_attached_in_order(client, new):
    shared = client.blocks.create(label="shared", value="for all")
    agent = new(
        memory_blocks=[{"label": "persona", "value": "I am"}, {"label": "human", "value": "Ada"}],
        block_ids=[shared.id],
    )
    assert [block.label for block in agent.blocks] == ["persona", "human", "shared"]
    assert agent.blocks[0].description
    assert agent.blocks[2].id == shared.id


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"model": "nowhere/gpt"}, 404, "nowhere/gpt"),
        ({"model": "gpt"}, 400, "gpt"),
        ({"name": "a/b"}, 422, "name"),
        ({"timezone": "Mars/Base"}, 422, "Mars/Base"),
        ({"agent_type": "split_thread_agent"}, 400, "split_thread_agent"),
        ({"agent_type": "voice_convo_agent"}, 422, "enable_sleeptime"),
        ({"agent_type": "poet_agent"}, 422, "agent_type"),
        ({"memory_blocks": [{"label": "a", "value": ""}] * 2}, 422, "labelled a"),
        ({"block_ids": [f"block-{uuid.UUID(int=0, version=4)}"]}, 404, "block-"),
        ({"tool_ids": [f"tool-{uuid.UUID(int=0, version=4)}"]}, 400, "tool-"),
        ({"tools": ["no_such_tool"]}, 400, "no_such_tool"),
        ({"folder_ids": [f"source-{uuid.UUID(int=0, version=4)}"]}, 404, "source-"),
        ({"max_tokens": 10, "max_reasoning_tokens": 10}, 400, "max_reasoning_tokens"),
        ({"tool_rules": [{"type": "sometimes", "tool_name": "x"}]}, 422, "tool_rules"),
        ({"model_settings": {"provider_type": "openai", "temperature": 9}}, 422, "temperature"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing_behind(client, new, http, fields, status, words):
    with pytest.raises(APIStatusError) as refused:
        new(**fields)
    assert refused.value.status_code == status
    assert words in str(refused.value.body)
    assert http.get("/v1/agents/count").json() == 0
    assert http.get("/v1/blocks/count").json() == 0


def test_two_blocks_of_one_label_given_in_both_ways_are_refused(client, new, http):
    block = client.blocks.create(label="human", value="")
    with pytest.raises(UnprocessableEntityError, match="human"):
        new(memory_blocks=[{"label": "human", "value": "Ada"}], block_ids=[block.id])
    assert http.get("/v1/blocks/count").json() == 1


def test_base_tools_and_rules_follow_the_agent_type(new):
    old = new(agent_type="memgpt_v2_agent")
    assert names_of(old) == ["send_message", "conversation_search", "memory_insert", "memory_replace"]
    assert {rule.tool_name: rule.type for rule in old.tool_rules} == {
        "send_message": "exit_loop",
        "conversation_search": "continue_loop",
        "memory_insert": "continue_loop",
        "memory_replace": "continue_loop",
    }
    assert new(agent_type="memgpt_v2_agent", include_base_tool_rules=False).tool_rules == []
    assert names_of(new(agent_type="react_agent")) == []
    assert names_of(new(include_base_tools=False, tools=["memory_rethink"])) == ["memory_rethink"]
    assert new(agent_type="workflow_agent").message_buffer_autoclear is True


def test_older_types_start_with_a_boot_sequence(client, new):
    agent = new(agent_type="memgpt_agent")
    said = client.agents.messages.list(agent.id, order="asc").items
    assert [message.message_type for message in said] == [
        "system_message",
        "assistant_message",
        "user_message",
    ]
    assert '"login"' in said[2].content
    assert len(agent.message_ids) == 4


def test_first_messages_can_be_given(client, new):
    first = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    agent = new(initial_message_sequence=first)
    said = client.agents.messages.list(agent.id, order="asc").items
    assert [message.content for message in said[1:]] == ["Hi", "Hello"]
    assert len(new(agent_type="memgpt_agent", initial_message_sequence=[]).message_ids) == 1


def test_a_patch_changes_only_what_it_names(client, new):
    agent = new(description="d", metadata={"a": 1}, tags=["x"])
    changed = client.agents.update(agent.id, name="Other", hidden=True)
    assert (changed.name, changed.hidden) == ("Other", True)
    same = ("description", "metadata", "system", "tags", "tools", "model", "timezone", "created_at")
    assert all(getattr(changed, field) == getattr(agent, field) for field in same)
    assert changed.updated_at > agent.updated_at


def test_null_clears_and_lists_replace(client, new):
    agent = new(description="d", tags=["x", "y"], context_window_limit=5000)
    assert agent.llm_config.context_window == 5000
    changed = client.agents.update(agent.id, description=None, tags=["z"], context_window_limit=None)
    assert (changed.description, changed.tags) == (None, ["z"])
    assert changed.llm_config.context_window == 128_000
    assert client.agents.update(agent.id, tags=[]).tags == []


def test_blocks_and_tools_are_replaced_by_id(client, new):
    agent = new(memory_blocks=[{"label": "human", "value": ""}])
    block = client.blocks.create(label="other", value="")
    rethink = client.tools.list(name="memory_rethink").items[0]
    changed = client.agents.update(agent.id, block_ids=[block.id, agent.blocks[0].id], tool_ids=[rethink.id])
    assert [block.label for block in changed.blocks] == ["other", "human"]
    assert names_of(changed) == ["memory_rethink"]
    missing = f"block-{uuid.uuid4()}"
    with pytest.raises(NotFoundError, match=missing):
        client.agents.update(agent.id, block_ids=[missing])
    with pytest.raises(BadRequestError):
        client.agents.update(agent.id, tool_ids=[f"tool-{uuid.uuid4()}"])


def test_message_ids_set_the_context(client, new):
    agent = new(initial_message_sequence=[{"role": "user", "content": "Hi"}])
    changed = client.agents.update(agent.id, message_ids=agent.message_ids[:1])
    assert changed.message_ids == agent.message_ids[:1]
    with pytest.raises(BadRequestError, match="message_ids"):
        client.agents.update(agent.id, message_ids=[f"message-{uuid.uuid4()}"])


def test_a_subagent_is_hidden(client, new):
    assert new(tags=["role:subagent"]).hidden is True
    agent = new()
    assert client.agents.update(agent.id, tags=["role:subagent"]).hidden is True


def test_deleting_takes_the_messages_and_leaves_the_blocks(client, new):
    agent = new(memory_blocks=[{"label": "human", "value": "Ada"}], tags=["t"])
    client.agents.delete(agent.id)
    with pytest.raises(NotFoundError, match=agent.id):
        client.agents.retrieve(agent.id)
    with pytest.raises(NotFoundError):
        client.agents.delete(agent.id)
    assert client.blocks.retrieve(agent.blocks[0].id).value == "Ada"
    assert client.tags.list() == []


def test_another_organization_sees_nothing_of_it(client, new, live, new_key):
    agent = new()
    from letta_client import Letta

    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as stranger:
        for attempt in (stranger.agents.retrieve, stranger.agents.delete, stranger.agents.update):
            with pytest.raises(NotFoundError):
                attempt(agent.id)
        assert stranger.agents.list().items == []
