"""The tools of archival memory, called by a model in a turn."""

import json

import httpx
import pytest
from letta_client import Letta

from perdure.testing.scripted import ScriptedModel, call, say

TOOLS = ["archival_memory_insert", "archival_memory_search"]


@pytest.fixture
def run(client: Letta, scripted: ScriptedModel, model_name: str):
    """Let an agent call tools, one after another; returns the agent and what the tools returned."""

    def calls(*steps, known: dict[str, str] | None = None, **options):
        handle = scripted.script(model_name, *steps, say("ok"))
        agent_id = client.agents.create(model=handle, tools=TOOLS, **options).id
        for at, text in (known or {}).items():
            client.agents.passages.create(agent_id, text=text, created_at=at, tags=["t"])
        answer = client.agents.messages.create(agent_id, input="go")
        returns = [each for each in answer.messages if each.message_type == "tool_return_message"]
        return agent_id, [(each.status, each.tool_return) for each in returns]

    return calls


def test_an_agent_keeps_something_and_finds_it_again(client: Letta, http: httpx.Client, run) -> None:
    agent_id, [kept, found] = run(
        call("archival_memory_insert", content="Ada moved to Lisbon.", tags=["ada"]),
        call("archival_memory_search", query="Where does Ada live?", top_k=3),
        timezone="Europe/Lisbon",
    )
    assert kept == ("success", "None")
    [memory] = json.loads(found[1])
    assert set(memory) == {"id", "timestamp", "content", "tags"}
    assert (memory["content"], memory["tags"]) == ("Ada moved to Lisbon.", ["ada"])
    [passage] = http.get(f"/v1/agents/{agent_id}/archival-memory").json()
    told = passage["provenance"]
    said = client.agents.messages.list(agent_id, order="asc").items
    [first, *_] = [each for each in said if each.message_type == "tool_call_message"]
    assert told == {
        "agent_id": agent_id,
        "run_id": first.run_id,
        "step_id": first.step_id,
        "message_id": first.id,
    }
    [other] = client.agents.passages.create(agent_id, text="By a person.")
    assert other.model_dump()["provenance"] is None


def test_a_search_takes_tags_and_days_of_the_agents_zone(run) -> None:
    times = ("2026-03-01T14:59:59Z", "2026-03-01T15:00:00Z", "2026-03-02T14:59:59.9Z", "2026-03-02T15:00:00Z")
    day = {"start_datetime": "2026-03-02", "end_datetime": "2026-03-02"}
    searches = [
        call("archival_memory_search", query="noted", tags=["t"], **day),
        call("archival_memory_search", query="noted", tags=["t", "other"], tag_match_mode="all"),
        call("archival_memory_search", query="noted", top_k=-3),
        call("archival_memory_search", query=" "),
        call("archival_memory_search", query="noted", start_datetime="yesterday"),
    ]
    _, returns = run(*searches, known={at: f"noted {at}" for at in times}, timezone="Asia/Tokyo")
    assert {each["content"] for each in json.loads(returns[0][1])} == {
        "noted 2026-03-01T15:00:00Z",
        "noted 2026-03-02T14:59:59.9Z",
    }
    assert json.loads(returns[1][1]) == []
    assert len(json.loads(returns[2][1])) == 1
    assert json.loads(returns[3][1]) == []
    assert returns[4][0] == "error"
    assert "is no date such as" in returns[4][1]


def test_nothing_and_too_much_are_refused(run) -> None:
    _, [nothing, too_much] = run(
        call("archival_memory_insert", content="  "),
        call("archival_memory_insert", content="word " * 10_000),
    )
    assert nothing[0] == too_much[0] == "error"
    assert "nothing in it to keep" in nothing[1]
    assert "at most 8192 tokens" in too_much[1]
