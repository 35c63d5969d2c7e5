"""Agents that look after the memory of others, and `/v1/groups`, through the API."""

from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, Letta, NotFoundError, UnprocessableEntityError


@pytest.fixture
def agent(client: Letta) -> Any:
    """An agent with a helper."""
    return client.agents.create(
        name="Ann",
        model="demo/offline",
        memory_blocks=[{"label": "human", "value": "Ada"}],
        enable_sleeptime=True,
        timezone="Europe/Oslo",
    )


def labels(client: Letta, agent_id: str) -> set[str]:
    return {block.label for block in client.agents.blocks.list(agent_id)}


def helper_of(agent: Any) -> str:
    return agent.managed_group.agent_ids[0]


def test_an_agent_comes_with_a_helper_that_shares_its_blocks(client, agent) -> None:
    group = agent.managed_group
    assert agent.multi_agent_group.id == group.id
    assert (group.manager_type, group.manager_agent_id) == ("sleeptime", agent.id)
    assert (group.sleeptime_agent_frequency, group.turns_counter) == (5, -1)
    helper = client.agents.retrieve(helper_of(agent), include=["agent.blocks", "agent.tools"])
    assert (helper.name, helper.agent_type) == ("Ann-sleeptime", "sleeptime_agent")
    assert (helper.model, helper.timezone, helper.enable_sleeptime) == (agent.model, "Europe/Oslo", False)
    assert [block.label for block in helper.blocks] == ["human", "memory_persona"]
    assert helper.blocks[0].id == agent.blocks[0].id
    assert {tool.name for tool in helper.tools} == {
        "memory_insert",
        "memory_replace",
        "memory_rethink",
        "memory_finish_edits",
    }
    assert {(rule.type, rule.tool_name) for rule in helper.tool_rules} > {
        ("exit_loop", "memory_finish_edits")
    }
    assert client.agents.retrieve(agent.id).managed_group is None
    shown = client.agents.retrieve(agent.id, include=["agent.managed_group"])
    assert shown.managed_group == group


def test_what_cannot_be_made_leaves_nothing_behind(client) -> None:
    for wrong in ({"block_ids": ["block-2c9e5e3c-8b5e-4c57-9d8e-3f1d0a9b7c11"]}, {"tools": ["none"]}):
        with pytest.raises((BadRequestError, NotFoundError)):
            client.agents.create(model="demo/offline", enable_sleeptime=True, **wrong)
    assert list(client.agents.list()) == []
    assert list(client.blocks.list()) == []


def test_a_voice_agent_has_a_helper_for_voice(client) -> None:
    agent = client.agents.create(agent_type="voice_convo_agent", model="demo/offline", enable_sleeptime=True)
    assert agent.managed_group.manager_type == "voice_sleeptime"
    assert client.agents.retrieve(helper_of(agent)).agent_type == "voice_sleeptime_agent"


def test_blocks_come_and_go_for_both(client, agent) -> None:
    helper = helper_of(agent)
    plans = client.blocks.create(label="plans", value="")
    client.agents.blocks.attach(plans.id, agent_id=agent.id)
    assert labels(client, helper) == {"human", "memory_persona", "plans"}
    client.agents.blocks.detach(plans.id, agent_id=agent.id)
    assert labels(client, helper) == {"human", "memory_persona"}
    client.agents.update(agent.id, block_ids=[plans.id])
    assert labels(client, helper) == {"memory_persona", "plans"}
    own = client.blocks.create(label="human", value="of the helper")
    client.agents.blocks.attach(own.id, agent_id=helper)
    other = client.blocks.create(label="human", value="of the agent")
    client.agents.blocks.attach(other.id, agent_id=agent.id)
    assert client.agents.blocks.retrieve("human", agent_id=helper).value == "of the helper"
    assert labels(client, agent.id) == {"human", "plans"}


def test_it_can_be_had_and_given_up_later(client, http) -> None:
    agent = client.agents.create(model="demo/offline", memory_blocks=[{"label": "human", "value": "Ada"}])
    assert agent.managed_group is None
    with_one = client.agents.update(agent.id, enable_sleeptime=True)
    helper = helper_of(with_one)
    assert labels(client, helper) == {"human", "memory_persona"}
    again = client.agents.update(agent.id, enable_sleeptime=True)
    assert helper_of(again) == helper
    with pytest.raises(BadRequestError, match="itself looks after"):
        client.agents.update(helper, enable_sleeptime=True)
    without = client.agents.update(agent.id, enable_sleeptime=False)
    assert without.managed_group is None
    with pytest.raises(NotFoundError):
        client.agents.retrieve(helper)
    assert http.get("/v1/groups/").json() == []
    assert [block.label for block in client.blocks.list()] == ["human"]
    assert labels(client, agent.id) == {"human"}


def test_deleting_one_of_both(client, http, agent) -> None:
    other = client.agents.create(model="demo/offline", enable_sleeptime=True)
    client.agents.delete(helper_of(other))
    assert client.agents.retrieve(other.id).enable_sleeptime is False
    client.agents.delete(agent.id)
    with pytest.raises(NotFoundError):
        client.agents.retrieve(helper_of(agent))
    assert http.get("/v1/groups/count").json() == 0
    assert [block.label for block in client.blocks.list()] == ["human"]


def test_groups_are_listed_and_changed(client: Letta, http: httpx.Client, agent) -> None:
    other = client.agents.create(model="demo/offline", enable_sleeptime=True)
    ids = [agent.managed_group.id, other.managed_group.id]
    assert [group["id"] for group in http.get("/v1/groups/").json()] == ids
    assert [group["id"] for group in http.get("/v1/groups/", params={"after": ids[0]}).json()] == ids[1:]
    assert http.get("/v1/groups/", params={"manager_type": "supervisor"}).json() == []
    assert http.get("/v1/groups/count").json() == 2
    for member in (agent.id, helper_of(agent)):
        assert [group["id"] for group in http.get(f"/v1/agents/{member}/groups").json()] == ids[:1]
    path = f"/v1/groups/{ids[0]}"
    config = {"manager_type": "sleeptime", "sleeptime_agent_frequency": 2}
    changed = http.patch(path, json={"manager_config": config, "description": "Both"}).json()
    assert (changed["sleeptime_agent_frequency"], changed["description"]) == (2, "Both")
    assert http.get(path).json() == changed
    for wrong, status in (
        ({"manager_config": {"manager_type": "supervisor"}}, 400),
        ({"manager_config": {**config, "manager_agent_id": other.id}}, 400),
        ({"manager_config": {**config, "sleeptime_agent_frequency": 0}}, 422),
        ({"agent_ids": [other.id]}, 400),
    ):
        assert http.patch(path, json=wrong).status_code == status
    assert http.get(path).json() == changed


def test_the_older_kind_needs_one(client) -> None:
    with pytest.raises(UnprocessableEntityError, match="enable_sleeptime"):
        client.agents.create(agent_type="voice_convo_agent", model="demo/offline")
