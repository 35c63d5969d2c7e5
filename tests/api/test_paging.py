"""The official client's paging visits every item of every list exactly once, in order."""

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from letta_client import Letta

from perdure.testing.scripted import ScriptedModel, call, say, think

COUNT = 5


@pytest.fixture
def agent_id(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    """An agent of several, with blocks, tools, tags, messages, runs and steps."""
    search = call("conversation_search", query="x")
    handle = scripted.script(model_name, *[think("hm") + search, say("ok")] * COUNT)
    agents = [
        client.agents.create(
            model=handle,
            name=f"agent {i}",
            tags=[f"tag-{i}"],
            memory_blocks=[{"label": f"block-{j}", "value": "x"} for j in range(COUNT)] if i == 0 else [],
        )
        for i in range(COUNT)
    ]
    for i in range(COUNT):
        client.archives.create(name=f"archive {i}")
    for i in range(COUNT):
        conversation = client.conversations.create(agent_id=agents[0].id)
        if i < COUNT - 2:
            list(client.conversations.messages.create(conversation.id, input="hi"))
    for _ in range(COUNT):
        client.agents.messages.create(agents[0].id, input="hi")
    return agents[0].id


LISTS: dict[str, Callable[[Letta, str, Any], Iterable[Any]]] = {
    "agents": lambda c, _, page: c.agents.list(**page),
    "agents by name of last run": lambda c, _, page: c.agents.list(order_by="last_run_completion", **page),
    "archives": lambda c, _, page: c.archives.list(**page),
    "blocks": lambda c, _, page: c.blocks.list(**page),
    "tools": lambda c, _, page: c.tools.list(**page),
    "blocks of an agent": lambda c, agent, page: c.agents.blocks.list(agent, **page),
    "tools of an agent": lambda c, agent, page: c.agents.tools.list(agent, **page),
    "messages of an agent": lambda c, agent, page: c.agents.messages.list(agent, **page),
    "all messages": lambda c, _, page: all_messages(c, page),
    "conversations": lambda c, _, page: all_conversations(c, page),
    "conversations by last run": lambda c, _, page: all_conversations(
        c, {"order_by": "last_run_completion", **page}
    ),
    "messages of a fork": lambda c, agent, page: c.conversations.messages.list(fork_of(c, agent), **page),
    "runs": lambda c, _, page: c.runs.list(**page),
    "steps": lambda c, _, page: c.steps.list(**page),
    "steps of a run": lambda c, agent, page: c.runs.steps.list(run_of(c, agent), **page),
    "messages of a run": lambda c, agent, page: c.runs.messages.list(run_of(c, agent), **page),
    "agents of a block": lambda c, agent, page: c.blocks.agents.list(block_of(c, agent), **page),
}


def run_of(client: Letta, agent_id: str) -> str:
    return client.runs.list(agent_id=agent_id).items[0].id


def block_of(client: Letta, agent_id: str) -> str:
    return client.agents.blocks.list(agent_id).items[0].id


def all_messages(client: Letta, page: dict[str, Any]) -> Iterable[Any]:
    """The client does not page this list by itself."""
    seen: list[Any] = []
    while more := client.messages.list(after=seen[-1].id, **page) if seen else client.messages.list(**page):
        seen += more
    return seen


def all_conversations(client: Letta, page: dict[str, Any]) -> Iterable[Any]:
    """The client does not page this list by itself."""
    seen: list[Any] = []
    while more := client.conversations.list(**page, **({"after": seen[-1].id} if seen else {})):
        seen += more
    return seen


def fork_of(client: Letta, agent_id: str) -> str:
    """A fork of the agent's own history, the same one every time."""
    made = client.conversations.list(agent_id=agent_id, summary_search="fork")
    if made:
        return made[0].id
    forked = client.conversations.fork("default", agent_id=agent_id)
    list(client.conversations.messages.create(forked.id, input="hi"))
    return client.conversations.update(forked.id, summary="fork").id


def key_of(item: Any) -> tuple[str, str | None]:
    """Several wire messages may share an id; their otid tells them apart."""
    return item.id, getattr(item, "otid", None)


@pytest.mark.parametrize("name", LISTS)
def test_every_item_is_visited_once_in_either_order(client: Letta, agent_id: str, name: str) -> None:
    read = LISTS[name]
    whole = [key_of(item) for item in read(client, agent_id, {"limit": 100, "order": "asc"})]
    assert whole
    assert len(set(whole)) == len(whole)
    for limit in (1, 2, 3):
        forward = [key_of(item) for item in read(client, agent_id, {"limit": limit, "order": "asc"})]
        assert forward == whole
        backward = [key_of(item) for item in read(client, agent_id, {"limit": limit, "order": "desc"})]
        assert sorted(backward, key=str) == sorted(whole, key=str)
        if "last run" not in name:
            assert backward == whole[::-1]


def test_before_is_the_page_next_to_the_cursor(http: httpx.Client, agent_id: str) -> None:
    runs = [run["id"] for run in http.get("/v1/runs/", params={"order": "asc"}).json()]
    page = http.get("/v1/runs/", params={"order": "asc", "before": runs[4], "limit": 2}).json()
    assert [run["id"] for run in page] == runs[2:4]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_an_impossible_limit_is_named(http: httpx.Client, limit: int) -> None:
    answer = http.get("/v1/agents/", params={"limit": limit})
    assert answer.status_code == 422
    assert "limit" in answer.json()["detail"]
