"""Lists, counts and tags of agents."""

import pytest
from letta_client import UnprocessableEntityError


@pytest.fixture
def new(client, model_name):
    def create(**fields):
        return client.agents.create(model=f"scripted/{model_name}", **fields)

    return create


def names(found):
    return [agent.name for agent in found]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("order_by", ["created_at", "updated_at", "last_run_completion"])
def test_auto_paging_visits_every_agent_once(client, new, order, order_by):
    made = {new(name=f"A{i}").id for i in range(7)}
    for i, agent_id in enumerate(sorted(made)[:3]):
        client.agents.update(agent_id, last_run_completion=f"2026-01-0{i + 1}T00:00:00Z")
    seen = [agent.id for agent in client.agents.list(limit=2, order=order, order_by=order_by)]
    assert len(seen) == len(made)
    assert set(seen) == made


def test_newest_first_unless_asked_otherwise(client, new):
    for name in ("A", "B", "C"):
        new(name=name)
    assert names(client.agents.list()) == ["C", "B", "A"]
    assert names(client.agents.list(order="asc")) == ["A", "B", "C"]
    assert names(client.agents.list(ascending=True)) == ["A", "B", "C"]
    with pytest.raises(UnprocessableEntityError, match="order_by"):
        client.agents.list(order_by="name")


def test_agents_that_never_ran_come_last(client, new):
    ran, _idle = new(name="Ran"), new(name="Idle")
    client.agents.update(ran.id, last_run_completion="2026-01-01T00:00:00Z")
    for order in ("asc", "desc"):
        assert names(client.agents.list(order=order, order_by="last_run_completion")) == ["Ran", "Idle"]


def test_filters(client, new):
    a = new(name="Alpha One", tags=["x", "y"], project_id="p")
    new(name="Beta_2", tags=["x"])
    new(name="Hidden", tags=["x"], hidden=True)
    assert names(client.agents.list(name="Alpha One")) == ["Alpha One"]
    assert names(client.agents.list(name="Alpha")) == []
    assert names(client.agents.list(query_text="ALPHA")) == ["Alpha One"]
    assert names(client.agents.list(query_text="_")) == ["Beta_2"]
    assert names(client.agents.list(tags=["x", "y"], order="asc")) == ["Alpha One", "Beta_2"]
    assert names(client.agents.list(tags=["x", "y"], match_all_tags=True)) == ["Alpha One"]
    assert names(client.agents.list(project_id="p")) == ["Alpha One"]
    assert names(client.agents.list(created_by_id=a.created_by_id, order="asc")) == ["Alpha One", "Beta_2"]
    assert names(client.agents.list(identifier_keys=["k"])) == []
    assert names(client.agents.list(last_stop_reason="end_turn")) == []
    everyone = client.agents.list(extra_query={"show_hidden_agents": True})
    assert len(names(everyone)) == 3


def test_counting_takes_the_same_filters(http, new):
    new(tags=["x"])
    new()
    new(hidden=True)
    assert http.get("/v1/agents/count").json() == 2
    assert http.get("/v1/agents/count", params={"tags": "x"}).json() == 1


def test_tags_are_listed_by_name(client, new):
    new(tags=["b", "a"])
    new(tags=["b", "C"])
    assert client.tags.list() in (["C", "a", "b"], ["a", "b", "C"])
    assert client.tags.list(name="B") == ["b"]
    assert client.tags.list(order="desc", limit=1) in (["b"], ["C"])
    first = client.tags.list(limit=2)
    assert client.tags.list(after=first[-1]) not in ([], first)
