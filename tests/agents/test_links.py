"""Attaching blocks and tools, and what an agent's prompt makes of it."""

import uuid

import pytest
from letta_client import APIStatusError, ConflictError, NotFoundError, UnprocessableEntityError


@pytest.fixture
def agent(client, model_name):
    blocks = [{"label": "human", "value": "Ada"}, {"label": "persona", "value": "I am"}]
    return client.agents.create(model=f"scripted/{model_name}", memory_blocks=blocks)


def labels(blocks):
    return [block.label for block in blocks]


def test_a_block_is_attached_once_and_detached_once(client, agent):
    block = client.blocks.create(label="notes", value="n")
    for _ in range(2):
        changed = client.agents.blocks.attach(block.id, agent_id=agent.id)
        assert labels(changed.blocks) == ["human", "persona", "notes"]
    changed = client.agents.blocks.detach(block.id, agent_id=agent.id)
    assert labels(changed.blocks) == ["human", "persona"]
    with pytest.raises(NotFoundError, match="not attached"):
        client.agents.blocks.detach(block.id, agent_id=agent.id)
    assert client.blocks.retrieve(block.id).value == "n"


def test_a_second_block_of_one_label_is_refused(client, agent):
    block = client.blocks.create(label="human", value="other")
    with pytest.raises(ConflictError, match="human") as refused:
        client.agents.blocks.attach(block.id, agent_id=agent.id)
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_renaming_a_block_into_a_taken_label_is_refused_everywhere(client, agent):
    human = agent.blocks[0]
    with pytest.raises(ConflictError):
        client.blocks.update(human.id, label="persona")
    with pytest.raises(ConflictError):
        client.agents.blocks.update("human", agent_id=agent.id, label="persona")
    client.blocks.update(human.id, label="user")
    assert client.agents.blocks.retrieve("user", agent_id=agent.id).id == human.id


def test_blocks_are_read_and_changed_by_label(client, agent):
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Ada"
    changed = client.agents.blocks.update("human", agent_id=agent.id, value="Grace")
    assert changed.value == client.blocks.retrieve(changed.id).value == "Grace"
    with pytest.raises(NotFoundError, match="it has human, persona"):
        client.agents.blocks.retrieve("nothing", agent_id=agent.id)


def test_labels_may_have_slashes(client, agent):
    block = client.blocks.create(label="system/notes", value="n")
    client.agents.blocks.attach(block.id, agent_id=agent.id)
    assert client.agents.blocks.retrieve("system/notes", agent_id=agent.id).id == block.id


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_paging_blocks_visits_each_once(client, agent, order):
    for i in range(3):
        block = client.blocks.create(label=f"b{i}", value="")
        client.agents.blocks.attach(block.id, agent_id=agent.id)
    seen = labels(client.agents.blocks.list(agent.id, limit=2, order=order))
    expected = ["human", "persona", "b0", "b1", "b2"]
    assert seen == (expected if order == "asc" else expected[::-1])


def test_core_memory_is_all_blocks(http, agent):
    memory = http.get(f"/v1/agents/{agent.id}/core-memory").json()
    assert [block["label"] for block in memory["blocks"]] == ["human", "persona"]


def test_the_agents_of_a_block(client, agent, model_name):
    shared = agent.blocks[0]
    other = client.agents.create(model=f"scripted/{model_name}", block_ids=[shared.id], hidden=True)
    found = [one.id for one in client.blocks.agents.list(shared.id, limit=1, order="asc")]
    assert found == [agent.id, other.id]
    with pytest.raises(NotFoundError):
        client.blocks.agents.list(f"block-{uuid.uuid4()}")


def test_a_deleted_block_is_detached(client, agent):
    client.blocks.delete(agent.blocks[0].id)
    assert labels(client.agents.blocks.list(agent.id)) == ["persona"]


def test_tools_are_attached_and_detached_without_fuss(client, agent):
    rethink = client.tools.list(name="memory_rethink").items[0]
    for _ in range(2):
        changed = client.agents.tools.attach(rethink.id, agent_id=agent.id)
        assert [tool.name for tool in changed.tools][-1] == "memory_rethink"
        assert len(changed.tools) == 4
    for _ in range(2):
        changed = client.agents.tools.detach(rethink.id, agent_id=agent.id)
        assert len(changed.tools) == 3
    with pytest.raises(NotFoundError):
        client.agents.tools.attach(f"tool-{uuid.uuid4()}", agent_id=agent.id)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_paging_tools_visits_each_once(client, agent, order):
    seen = [tool.name for tool in client.agents.tools.list(agent.id, limit=1, order=order)]
    expected = ["conversation_search", "memory_insert", "memory_replace"]
    assert seen == (expected if order == "asc" else expected[::-1])


def test_approval_is_switched_by_a_rule(client, agent, http):
    def asked():
        shown = client.agents.retrieve(agent.id)
        return [(rule.type, rule.tool_name) for rule in shown.tool_rules]

    for _ in range(2):
        client.agents.tools.update_approval("memory_insert", agent_id=agent.id, body_requires_approval=True)
        assert asked() == [("requires_approval", "memory_insert")]
    route = f"/v1/agents/{agent.id}/tools/approval/memory_insert"
    assert http.patch(route, params={"requires_approval": False}).status_code == 200
    assert asked() == []
    assert http.patch(route).status_code == 422


def test_links_of_a_strangers_agent_are_not_found(client, agent, live, new_key):
    from letta_client import Letta

    block_id, tool_id = agent.blocks[0].id, agent.tools[0].id
    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as stranger:
        mine = stranger.agents.create()
        attempts = [
            lambda: stranger.agents.blocks.list(agent.id),
            lambda: stranger.agents.blocks.attach(block_id, agent_id=agent.id),
            lambda: stranger.agents.blocks.attach(block_id, agent_id=mine.id),
            lambda: stranger.agents.tools.attach(tool_id, agent_id=mine.id),
            lambda: stranger.agents.tools.list(agent.id),
            lambda: stranger.agents.recompile(agent.id),
            lambda: stranger.blocks.agents.list(block_id),
        ]
        for attempt in attempts:
            with pytest.raises(NotFoundError):
                attempt()


def test_malformed_ids_are_unprocessable(client, agent):
    with pytest.raises(UnprocessableEntityError):
        client.agents.retrieve("agent-1")
    with pytest.raises(APIStatusError):
        client.agents.blocks.attach("block-1", agent_id=agent.id)
