"""The past of blocks through the API."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from letta_client import Letta

from perdure.testing.scripted import call, say


@pytest.fixture
def block(client: Letta) -> str:
    """A block that was changed twice."""
    made = client.blocks.create(label="human", value="Name: Ada", description="Who")
    client.blocks.update(made.id, value="Name: Ada\nLikes tea")
    client.blocks.update(made.id, value="Name: Ada\nLikes coffee", tags=["x"])
    return made.id


@pytest.fixture
def post(http: httpx.Client, block: str) -> Any:
    """A function that goes back or forth; the value then, or the status of a refusal."""

    def post(way: str, **body: Any) -> Any:
        answer = http.post(f"/v1/blocks/{block}/history/{way}", json=body)
        return answer.json()["value"] if answer.status_code == 200 else answer.status_code

    return post


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_changes_are_listed_the_newest_first_and_by_pages(client, http, block) -> None:
    found = client.get(f"/v1/blocks/{block}/history", cast_to=list[dict[str, Any]])
    assert [(each["version"], each["action"], each["changed"]) for each in found] == [
        (3, "update", ["value", "tags"]),
        (2, "update", ["value"]),
        (1, "create", ["value", "label", "limit", "description"]),
    ]
    assert all(each["user_id"].startswith("user-") for each in found)
    assert all(re.fullmatch(r"20\d\d-.*\.\d{6}Z", each["created_at"]) for each in found)
    assert [each["chars"] for each in found] == [22, 19, 9]

    def listed(**query: Any) -> list[int]:
        answer = http.get(f"/v1/blocks/{block}/history", params=query)
        return [each["version"] for each in answer.json()]

    assert listed(limit=2) == [3, 2]
    assert listed(limit=2, after=2) == [1]
    assert listed(order="asc", after=1) == [2, 3]
    assert listed(before=1, limit=1) == [2]


def test_a_version_says_what_the_block_was(client, http, block) -> None:
    then = client.get(f"/v1/blocks/{block}/history/2", cast_to=dict[str, Any])
    assert then["block"] == {
        **{name: value for name, value in then["block"].items() if value in (None, False, {})},
        "label": "human",
        "value": "Name: Ada\nLikes tea",
        "description": "Who",
        "limit": 100_000,
        "tags": [],
    }
    assert http.get(f"/v1/blocks/{block}/history/4").status_code == 404
    assert http.get(f"/v1/blocks/{block}/history/0").status_code == 404
    assert http.get(f"/v1/blocks/{block}/history/x").status_code == 422
    everything = http.get(f"/v1/blocks/{block}/history", params={"include_content": True, "limit": 2}).json()
    assert [each["block"]["value"][-6:] for each in everything] == ["coffee", "es tea"]
    many = http.get(f"/v1/blocks/{block}/history", params={"include_content": True, "limit": 101})
    assert many.status_code == 400


def test_two_versions_are_compared(http, block) -> None:
    path = f"/v1/blocks/{block}/history/diff"
    last = http.get(path).json()
    assert last == {
        "block_id": block,
        "from_version": 2,
        "to_version": 3,
        "unified": "--- version 2\n+++ version 3\n@@ -1,2 +1,2 @@\n Name: Ada\n-Likes tea\n+Likes coffee",
        "lines": [{"old_line": 2, "old": ["Likes tea"], "new_line": 2, "new": ["Likes coffee"]}],
        "fields": {"tags": {"old": [], "new": ["x"]}},
    }
    back = http.get(path, params={"from_version": 3, "to_version": 1}).json()
    assert back["lines"] == [{"old_line": 2, "old": ["Likes coffee"], "new_line": 2, "new": []}]
    assert http.get(path, params={"to_version": 1}).status_code == 404
    assert http.get(path, params={"to_version": 9}).status_code == 404


def test_undo_and_redo_walk_as_in_an_editor(client, http, block, post) -> None:
    assert [post("undo"), post("undo"), post("undo")] == ["Name: Ada\nLikes tea", "Name: Ada", 409]
    assert [post("redo"), post("redo"), post("redo")] == [
        "Name: Ada\nLikes tea",
        "Name: Ada\nLikes coffee",
        409,
    ]
    assert client.blocks.retrieve(block).tags == ["x"]
    post("undo")
    client.blocks.update(block, value="Name: Bo")
    assert post("redo") == 409
    assert [post("undo"), post("undo")] == ["Name: Ada\nLikes tea", "Name: Ada"]
    told = [
        (each["action"], each["of_version"]) for each in http.get(f"/v1/blocks/{block}/history").json()[:3]
    ]
    assert told == [("undo", 1), ("undo", 2), ("update", None)]


def test_what_was_at_a_version_or_a_time_is_restored(client, http, block, post) -> None:
    between = now()
    client.blocks.update(block, value="all wrong", label="person")
    assert post("restore", version=1) == "Name: Ada"
    restored = http.post(f"/v1/blocks/{block}/history/restore", json={"at": between}).json()
    assert (restored["value"], restored["label"]) == ("Name: Ada\nLikes coffee", "human")
    assert post("undo") == "Name: Ada"
    assert post("restore", version=99) == 404
    assert post("restore", at="2001-01-01T00:00:00Z") == 404
    assert post("restore") == post("restore", version=1, at=between) == 422


def test_going_back_can_be_meant_for_a_version(block, post) -> None:
    assert post("undo", expected_version=2) == 409
    assert post("undo", expected_version=3) == "Name: Ada\nLikes tea"
    assert post("redo", expected_version=3) == 409
    assert post("restore", version=1, expected_version=3) == 409
    assert post("restore", version=1, expected_version=4) == "Name: Ada"


def test_what_does_not_fit_any_more_cannot_be_restored(client, post, block) -> None:
    agent = client.agents.create(model="demo/offline", block_ids=[block])
    client.blocks.update(block, label="person")
    other = client.blocks.create(label="human", value="")
    client.agents.blocks.attach(other.id, agent_id=agent.id)
    assert post("undo") == 409
    assert client.blocks.retrieve(block).label == "person"


def test_an_agents_tool_and_its_run_are_told(client, scripted, model_name) -> None:
    scripted.script(model_name, call("memory_insert", label="human", new_string="Likes nuts"), say("ok"))
    agent = client.agents.create(
        model=f"scripted/{model_name}",
        memory_blocks=[{"label": "human", "value": "Ada"}],
        include_base_tools=True,
    )
    answer = client.agents.messages.create(agent.id, input="I like nuts")
    [change, made] = client.get(f"/v1/blocks/{agent.blocks[0].id}/history", cast_to=list[dict[str, Any]])
    assert (change["tool"], change["agent_id"]) == ("memory_insert", agent.id)
    assert change["run_id"] == answer.messages[0].run_id
    assert (made["action"], made["tool"], made["run_id"]) == ("create", None, None)


def test_a_deleted_block_comes_back_as_long_as_an_agent_that_had_it_lives(client, http, block, post) -> None:
    agent = client.agents.create(model="demo/offline", block_ids=[block])
    client.blocks.delete(block)
    told = http.get(f"/v1/blocks/{block}/history").json()
    assert (told[0]["action"], told[0]["changed"]) == ("delete", [])
    assert post("undo") == 404
    assert post("restore", version=2) == "Name: Ada\nLikes tea"
    back = client.blocks.retrieve(block)
    assert (back.label, back.version, back.description) == ("human", 5, "Who")
    assert client.agents.blocks.list(agent.id).items == []
    client.agents.blocks.attach(block, agent_id=agent.id)
    client.blocks.update(block, value="and on")
    assert http.get(f"/v1/blocks/{block}/history/6").json()["block"]["value"] == "and on"
    client.blocks.delete(block)
    client.agents.delete(agent.id)
    assert http.get(f"/v1/blocks/{block}/history").status_code == 404
    assert post("restore", version=2) == 404


def test_a_deleted_block_that_no_agent_had_is_gone_with_its_past(client, http, block) -> None:
    client.blocks.delete(block)
    for path in ("", "/1", "/diff"):
        assert http.get(f"/v1/blocks/{block}/history{path}").status_code == 404


def test_the_past_can_be_erased(client, http, block, post) -> None:
    assert http.delete(f"/v1/blocks/{block}/history").status_code == 200
    [left] = http.get(f"/v1/blocks/{block}/history", params={"include_content": True}).json()
    assert (left["version"], left["block"]["value"]) == (3, "Name: Ada\nLikes coffee")
    assert [post("undo"), post("redo"), post("restore", version=2)] == [409, 409, 404]
    client.blocks.update(block, value="new")
    assert http.get(f"/v1/blocks/{block}/history/4").json()["block"]["value"] == "new"
    assert [post("undo"), post("undo"), post("redo")] == ["Name: Ada\nLikes coffee", 409, "new"]


def test_looking_back_far_is_quick(client, http, block) -> None:
    for number in range(70):
        client.blocks.update(block, value=f"{number} " * 1000)
    began = time.perf_counter()
    for version in (2, 64, 65, 66, 72):
        assert http.get(f"/v1/blocks/{block}/history/{version}").status_code == 200
    assert time.perf_counter() - began < 2
    assert http.get(f"/v1/blocks/{block}/history/66").json()["block"]["value"] == "62 " * 1000
    whole = http.get(f"/v1/blocks/{block}/history/65").json()
    assert whole["changed"] == ["value"]
