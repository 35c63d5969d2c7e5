"""What a tool may learn of the agent that calls it, and of no other one."""

import pytest

from perdure.agents.facts import Facts
from perdure.kit.errors import NotFound
from perdure.tenancy.actor import Actor


@pytest.fixture
def facts(live):
    state = live.app.state
    return Facts(state.db, state.keyring, state.models)


@pytest.fixture
def agent(client, model_name):
    return client.agents.create(model=f"scripted/{model_name}", secrets={"TOKEN": "hush-hush", "OTHER": ""})


def test_a_tool_is_told_its_agents_secrets_and_state_without_them(live, facts, agent):
    actor = live.actor_of(agent.id)
    assert live.ask(facts.secrets(actor, agent.id)) == {"TOKEN": "hush-hush", "OTHER": ""}
    state = live.ask(facts.state(actor, agent.id))
    assert state["id"] == agent.id
    assert "hush-hush" not in str(state)


def test_no_tool_is_told_anything_of_another_organizations_agent(live, facts, agent):
    stranger = Actor(organization_id="org-elsewhere")
    assert live.ask(facts.secrets(stranger, agent.id)) == {}
    with pytest.raises(NotFound):
        live.ask(facts.state(stranger, agent.id))
