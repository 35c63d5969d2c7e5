"""An agent's whole memory as it was at a time, through the API."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from letta_client import Letta
from tests.memory.mind import new_agent

from perdure.agents import links, past
from perdure.agents import store as agents
from perdure.agents.delete import delete_agent
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.memory import store as blocks
from perdure.memory.versions import store as versions
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization

Look = Any


def moment() -> str:
    return datetime.now(UTC).isoformat()


@pytest.fixture
def look(http: httpx.Client) -> Look:
    """A function that tells what an agent had at a time: labels and values in their order."""

    def look(agent_id: str, as_of: str | None = None, **query: str) -> list[tuple[str, str]]:
        query |= {"as_of": as_of} if as_of else {}
        answer = http.get(f"/v1/agents/{agent_id}/memory", params=query)
        assert answer.status_code == 200, answer.text
        return [(block["label"], block["value"]) for block in answer.json()["blocks"]]

    return look


def test_memory_is_read_as_it_was(client: Letta, look: Look) -> None:
    agent = client.agents.create(
        model="demo/offline",
        memory_blocks=[{"label": "human", "value": "Ada"}, {"label": "persona", "value": "kind"}],
    )
    human, persona = agent.blocks
    times = [moment()]

    def then(change: Any) -> None:
        change()
        times.append(moment())

    plans = client.blocks.create(label="plans", value="none")
    then(lambda: client.blocks.update(human.id, value="Ada likes tea"))
    then(lambda: client.agents.blocks.attach(plans.id, agent_id=agent.id))
    then(lambda: client.blocks.update(plans.id, value="Oslo", label="travel"))
    then(lambda: client.agents.blocks.detach(persona.id, agent_id=agent.id))
    then(lambda: client.blocks.delete(human.id))
    then(lambda: client.agents.update(agent.id, block_ids=[persona.id, plans.id]))
    was = [
        [("human", "Ada"), ("persona", "kind")],
        [("human", "Ada likes tea"), ("persona", "kind")],
        [("human", "Ada likes tea"), ("persona", "kind"), ("plans", "none")],
        [("human", "Ada likes tea"), ("persona", "kind"), ("travel", "Oslo")],
        [("human", "Ada likes tea"), ("travel", "Oslo")],
        [("travel", "Oslo")],
        [("persona", "kind"), ("travel", "Oslo")],
    ]
    assert [look(agent.id, at) for at in times] == was
    assert look(agent.id) == was[-1]
    assert look(agent.id, times[0].replace("+00:00", "")) == was[0], "a time without a zone is in UTC"


def test_a_time_before_the_agent_is_refused(client: Letta, http: httpx.Client) -> None:
    agent = client.agents.create(model="demo/offline")
    early = http.get(f"/v1/agents/{agent.id}/memory", params={"as_of": "2001-01-01T00:00:00Z"})
    assert early.status_code == 404
    assert "had no memory before" in early.json()["detail"]
    assert http.get(f"/v1/agents/{agent.id}/memory", params={"as_of": "then"}).status_code == 422


def test_a_conversation_has_the_past_of_its_own_blocks(client: Letta, http: httpx.Client, look: Look) -> None:
    agent = client.agents.create(
        model="demo/offline",
        memory_blocks=[{"label": "human", "value": "Ada"}, {"label": "persona", "value": "kind"}],
    )
    talk = client.conversations.create(agent_id=agent.id, extra_body={"isolated_block_labels": ["human"]})
    begun = moment()
    [own] = talk.isolated_block_ids
    client.blocks.update(own, value="Ada is tired")
    client.agents.blocks.update("human", agent_id=agent.id, value="Ada likes tea")
    assert look(agent.id, begun, conversation_id=talk.id) == [("human", "Ada"), ("persona", "kind")]
    assert look(agent.id, conversation_id=talk.id)[0] == ("human", "Ada is tired")
    assert look(agent.id)[0] == ("human", "Ada likes tea")
    other = client.agents.create(model="demo/offline")
    wrong = http.get(f"/v1/agents/{other.id}/memory", params={"conversation_id": talk.id})
    assert wrong.status_code == 404
    client.conversations.delete(talk.id)
    assert http.get(f"/v1/blocks/{own}/history").status_code == 404


ACTIONS = st.tuples(
    st.sampled_from(["attach", "detach", "set", "write", "delete", "rename"]), st.integers(0, 4)
)


class Life:
    """An agent, and blocks that come, go and change."""

    def __init__(self, actor: Actor, agent_id: str):
        self.actor, self.agent_id, self.made = actor, agent_id, list[str]()

    def act(self, conn: Any, action: str, number: int) -> None:
        """Change something, if that may be."""
        if not self.made or number == 4:
            self.made.append(blocks.create(conn, self.actor, {"label": f"b{len(self.made)}"}).id)
        block_id = self.made[number % len(self.made)]
        match action:
            case "attach":
                links.attach_block(conn, self.actor, self.agent_id, block_id)
            case "detach":
                links.detach_block(conn, self.actor, self.agent_id, block_id)
            case "set":
                links.set_blocks(conn, self.actor, self.agent_id, self.made[::-1][:number])
            case "write":
                blocks.set_value(conn, self.actor, block_id, f"{block_id} {number} {now()}")
            case "delete":
                blocks.remove(conn, self.actor, block_id)
            case _:
                blocks.update(conn, self.actor, block_id, {"label": f"r{self.made.index(block_id)}"})

    def has(self, conn: Any) -> list[Any]:
        """What the agent has now."""
        return [(block.id, block.label, block.value) for block in agents.blocks_of(conn, self.agent_id)]

    def had(self, conn: Any, at: datetime) -> list[Any]:
        """What it had at a time."""
        found = past.memory_at(conn, self.actor, self.agent_id, at)
        return [(block.id, block.label, block.value) for block in found]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTIONS, max_size=15))
async def test_any_life_can_be_looked_back_on(shared_database: Any, actions: list[Any]) -> None:
    db = shared_database
    actor = Actor((await db.write(create_organization)).id)
    life = Life(actor, await new_agent(db, actor))
    seen: list[tuple[datetime, list[Any]]] = []
    for action, number in actions:
        with contextlib.suppress(NotFound):
            await db.write(life.act, action, number)
        seen.append((now(), await db.read(life.has)))
    for at, was in seen:
        assert await db.read(life.had, at) == was
    await db.write(delete_agent, actor, life.agent_id)
    left = {block.id for block in await db.read(blocks.by_ids, actor, life.made)}
    for block_id in {*life.made} - left:
        assert await db.read(versions.last_row, actor, block_id) is None
