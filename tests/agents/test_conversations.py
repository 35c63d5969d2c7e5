"""Conversations: begun, listed, changed, forked and deleted, with blocks of their own."""

import json

import httpx
import pytest
from letta_client import APIStatusError, BadRequestError, Letta, NotFoundError, UnprocessableEntityError

MISSING = "conv-00000000-0000-4000-8000-000000000000"


@pytest.fixture
def agent(client: Letta, model_name: str):
    return client.agents.create(
        model=f"scripted/{model_name}",
        system="Be brief.",
        memory_blocks=[
            {"label": "human", "value": "Ada", "description": "Who."},
            {"label": "task", "value": "none"},
        ],
        tools=["memory_rethink", "conversation_search"],
    )


def begin(client: Letta, agent, **fields):
    labels = fields.pop("isolated_block_labels", None)
    extra = {"extra_body": {"isolated_block_labels": labels}} if labels is not None else {}
    return client.conversations.create(agent_id=agent.id, **fields, **extra)


def context_of(client: Letta, conversation):
    return client.conversations.retrieve(conversation.id).in_context_message_ids


def prompt_of(client: Letta, conversation):
    return client.conversations.messages.list(conversation.id, order="asc").items[0].content


def say_to(client: Letta, conversation, text):
    list(client.conversations.messages.create(conversation.id, input=text))


def test_a_new_conversation_has_a_prompt_of_its_own(client, agent):
    made = begin(client, agent, summary="About tea", description="Tea.")
    found = client.conversations.retrieve(made.id)
    assert found == made
    assert (found.agent_id, found.summary, found.description) == (agent.id, "About tea", "Tea.")
    assert (found.model, found.api_model_settings, found.archived) == (None, None, False)
    [prompt] = found.in_context_message_ids
    assert prompt != agent.message_ids[0]
    text = prompt_of(client, made)
    assert text.startswith("Be brief.")
    assert "Ada" in text
    assert f"- CONVERSATION_ID: {made.id}" in text
    assert (
        "- CONVERSATION_ID: default"
        in client.agents.messages.list(agent.id, extra_query={"conversation_id": "default"}).items[0].content
    )


def test_a_conversation_of_nobody_is_not_found(client):
    for ask in (
        client.conversations.retrieve,
        client.conversations.delete,
        client.conversations.fork,
        client.conversations.recompile,
        client.conversations.messages.list,
        lambda conversation_id: client.conversations.update(conversation_id, summary="x"),
    ):
        with pytest.raises(NotFoundError, match=MISSING):
            ask(MISSING)
    with pytest.raises(NotFoundError):
        client.conversations.create(agent_id=MISSING.replace("conv", "agent"))


def test_settings_of_a_model_come_back_as_named(client, agent, http):
    settings = {"provider_type": "openai", "temperature": 0.5}
    made = begin(client, agent, model=agent.model, model_settings=settings, context_window_limit=9000)
    assert (made.model, made.context_window_limit) == (agent.model, 9000)
    assert made.api_model_settings.temperature == 0.5
    client.conversations.update(made.id, model_settings={"provider_type": "openai", "strict": True})
    shown = http.get(f"/v1/conversations/{made.id}").json()["model_settings"]
    assert (shown["temperature"], shown["strict"]) == (0.5, True)
    assert shown["provider_type"] == "scripted"


def test_an_unknown_model_is_refused(client, agent):
    with pytest.raises(NotFoundError, match="nowhere/gpt"):
        begin(client, agent, model="nowhere/gpt")
    made = begin(client, agent)
    with pytest.raises(NotFoundError, match="nowhere/gpt"):
        client.conversations.update(made.id, model="nowhere/gpt")
    assert client.conversations.retrieve(made.id).model is None


def test_a_change_names_what_it_changes_and_null_clears(client, agent, http):
    made = begin(client, agent, summary="a", description="b", model=agent.model, context_window_limit=9000)
    changed = client.conversations.update(made.id, summary="c")
    assert (changed.summary, changed.description, changed.model) == ("c", "b", agent.model)
    assert changed.updated_at > made.updated_at
    nothing = dict.fromkeys(
        ("summary", "description", "model", "model_settings", "context_window_limit", "last_message_at")
    )
    cleared = http.patch(f"/v1/conversations/{made.id}", json=nothing).json()
    assert {name: cleared[name] for name in nothing} == nothing


def test_lists_filter_search_and_leave_out_what_is_hidden_or_archived(client, agent, model_name):
    other = client.agents.create(model=f"scripted/{model_name}")
    tea, coffee = begin(client, agent, summary="About Tea"), begin(client, agent, summary="About coffee")
    begin(client, agent, summary="hidden", hidden=True)
    elsewhere = begin(client, other)

    def ids(**query):
        return [found.id for found in client.conversations.list(**query)]

    assert ids() == [elsewhere.id, coffee.id, tea.id]
    assert ids(agent_id=agent.id) == [coffee.id, tea.id]
    assert ids(agent_id=agent.id, order="asc") == [tea.id, coffee.id]
    assert ids(summary_search="tea") == [tea.id]
    assert ids(limit=1, after=coffee.id) == [tea.id]
    archived = client.conversations.update(tea.id, archived=True)
    assert archived.archived
    assert archived.archived_at
    assert ids(agent_id=agent.id) == [coffee.id]
    assert ids(archive_status="archived") == [tea.id]
    assert ids(agent_id=agent.id, archive_status="all") == [coffee.id, tea.id]
    assert not client.conversations.update(tea.id, archived=False).archived
    assert client.conversations.list(agent_id=agent.id)[0].in_context_message_ids is None
    assert ids(agent_id=MISSING) == []


def test_lists_order_by_when_something_was_said_last(client, agent):
    first, second, silent = (begin(client, agent) for _ in range(3))
    say_to(client, second, "hi")
    say_to(client, first, "hi")
    for key in ("last_message_at", "last_run_completion"):
        found = [each.id for each in client.conversations.list(agent_id=agent.id, order_by=key)]
        assert found == [first.id, second.id, silent.id]
        found = [each.id for each in client.conversations.list(agent_id=agent.id, order_by=key, order="asc")]
        assert found == [second.id, first.id, silent.id]
    with pytest.raises(UnprocessableEntityError, match="order_by"):
        client.conversations.list(order_by="summary")
    assert client.conversations.retrieve(silent.id).last_message_at is None


def test_isolated_blocks_are_copies_that_stand_in_for_the_agents(client, agent):
    made = begin(client, agent, isolated_block_labels=["human"])
    [copy] = made.isolated_block_ids
    assert copy not in {block.id for block in agent.memory.blocks}
    block = client.blocks.retrieve(copy)
    assert (block.label, block.value, block.description) == ("human", "Ada", "Who.")
    client.blocks.update(copy, value="Grace")
    client.agents.blocks.update("task", agent_id=agent.id, value="dishes")
    text = json.loads(client.conversations.recompile(made.id))
    assert text == prompt_of(client, made)
    assert "Grace" in text
    assert "Ada" not in text
    assert text.index("<human>") < text.index("<task>")
    assert "dishes" in text
    assert f"- CONVERSATION_ID: {made.id}" in text
    assert "Ada" in json.loads(client.agents.recompile(agent.id))
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Ada"


def test_isolated_blocks_are_in_no_list_of_blocks(client, agent):
    begin(client, agent, isolated_block_labels=["human"])
    assert len(client.blocks.list(label="human").items) == 1


def test_an_unknown_label_leaves_nothing_behind(client, agent):
    with pytest.raises(BadRequestError, match=r"isolated_block_labels: .* nothing.*human"):
        begin(client, agent, isolated_block_labels=["human", "nothing"])
    assert client.conversations.list(agent_id=agent.id) == []
    shown = client.blocks.list(extra_query={"show_hidden_blocks": True, "label": "human"})
    assert len(shown.items) == 1


def test_a_dry_run_compiles_and_keeps_nothing(client, agent):
    made = begin(client, agent)
    before = prompt_of(client, made)
    client.agents.update(agent.id, system="Be long.")
    dry = json.loads(client.conversations.recompile(made.id, dry_run=True))
    assert dry.startswith("Be long.")
    assert prompt_of(client, made) == before
    assert json.loads(client.conversations.recompile(made.id)) == prompt_of(client, made) == dry


def test_default_and_the_agents_id_mean_its_own_history(client, agent, http):
    text = json.loads(client.conversations.recompile("default", agent_id=agent.id))
    assert "- CONVERSATION_ID: default" in text
    assert json.loads(client.conversations.recompile(agent.id)) == text
    for ask in (client.conversations.recompile, client.conversations.fork):
        with pytest.raises(BadRequestError, match="agent_id"):
            ask("default")
    for wrong in ("defaults", "conv-1", "block-" + MISSING[5:]):
        assert http.get(f"/v1/conversations/{wrong}/messages").status_code == 422


def test_a_fork_shares_the_context_and_goes_on_apart(client, agent):
    made = begin(client, agent, summary="About tea", isolated_block_labels=["human"], model=agent.model)
    client.blocks.update(made.isolated_block_ids[0], value="Grace")
    say_to(client, made, "one")
    forked = client.conversations.fork(made.id)
    assert (forked.agent_id, forked.summary, forked.model) == (agent.id, "About tea", agent.model)
    [block] = forked.isolated_block_ids
    assert block not in made.isolated_block_ids
    assert client.blocks.retrieve(block).value == "Grace"
    before = context_of(client, made)
    assert forked.in_context_message_ids[1:] == before[1:]
    assert forked.in_context_message_ids[0] != before[0]
    assert f"- CONVERSATION_ID: {forked.id}" in prompt_of(client, forked)
    say_to(client, forked, "two")
    assert context_of(client, made) == before
    assert contents(client, forked) == ["one", "ok", "two", "ok"]
    assert contents(client, made) == ["one", "ok"]
    stored = client.agents.messages.list(agent.id, limit=100).items
    assert [m.content for m in stored if m.message_type == "user_message"].count("one") == 1


def contents(client: Letta, conversation):
    items = client.conversations.messages.list(conversation.id, order="asc").items
    return [item.content for item in items if item.message_type != "system_message"]


def test_a_fork_until_a_message_and_a_hidden_one(client, agent):
    made = begin(client, agent)
    say_to(client, made, "one")
    say_to(client, made, "two")
    first = context_of(client, made)[2]
    forked = client.conversations.fork(made.id, message_id=first, hidden=True)
    assert contents(client, forked) == ["one", "ok"]
    assert [found.id for found in client.conversations.list()] == [made.id]
    with pytest.raises(NotFoundError, match="message_id"):
        client.conversations.fork(made.id, message_id="message" + MISSING[4:])
    assert len(client.conversations.list(archive_status="all")) == 1


def test_an_empty_conversation_can_be_forked(client, agent):
    forked = client.conversations.fork(begin(client, agent).id)
    assert len(forked.in_context_message_ids) == 1
    say_to(client, forked, "one")
    assert contents(client, forked) == ["one", "ok"]


def test_the_agents_own_history_can_be_forked(client, agent):
    client.agents.messages.create(agent.id, input="one")
    for forked in (
        client.conversations.fork("default", agent_id=agent.id),
        client.conversations.fork(agent.id),
    ):
        assert contents(client, forked) == ["one", "ok"]
        assert forked.isolated_block_ids == []


def test_a_deleted_conversation_leaves_its_forks_whole(client, agent):
    made = begin(client, agent, isolated_block_labels=["human"])
    say_to(client, made, "one")
    forked = client.conversations.fork(made.id)
    again = client.conversations.fork(forked.id)
    say_to(client, made, "lost")
    block = made.isolated_block_ids[0]
    client.conversations.delete(made.id)
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(made.id)
    with pytest.raises(NotFoundError):
        client.blocks.retrieve(block)
    assert contents(client, forked) == contents(client, again) == ["one", "ok"]
    client.conversations.delete(forked.id)
    assert contents(client, again) == ["one", "ok"]
    assert len(context_of(client, again)) == 3
    said = [
        m.content for m in client.agents.messages.list(agent.id).items if m.message_type == "user_message"
    ]
    assert said == ["one"]


def test_an_agent_takes_its_conversations_along(client, agent):
    made = begin(client, agent, isolated_block_labels=["human"])
    client.agents.delete(agent.id)
    assert client.conversations.list() == []
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(made.id)
    with pytest.raises(NotFoundError):
        client.blocks.retrieve(made.isolated_block_ids[0])
    assert client.blocks.retrieve(agent.memory.blocks[0].id).value == "Ada"


def test_an_isolated_block_belongs_to_its_conversation(client, agent):
    made = begin(client, agent, isolated_block_labels=["human"])
    with pytest.raises(APIStatusError, match="conversation's own"):
        client.agents.blocks.detach(made.isolated_block_ids[0], agent_id=agent.id)


def test_the_context_overview_of_a_conversation(client, agent, http: httpx.Client, model_name):
    made = begin(client, agent, isolated_block_labels=["human"], context_window_limit=9000)
    client.blocks.update(made.isolated_block_ids[0], value="Grace")
    path = f"/v1/agents/{agent.id}/context"
    shown = http.get(path, params={"conversation_id": made.id}).json()
    assert "Grace" in shown["core_memory"]
    assert shown["context_window_size_max"] == 9000
    assert f"- CONVERSATION_ID: {made.id}" in shown["external_memory_summary"]
    assert "Ada" in http.get(path, params={"conversation_id": "default"}).json()["core_memory"]
    other = client.agents.create(model=f"scripted/{model_name}")
    answer = http.get(f"/v1/agents/{other.id}/context", params={"conversation_id": made.id})
    assert answer.status_code == 404
