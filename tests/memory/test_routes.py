"""`/v1/blocks` through the official client."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from letta_client import Letta, NotFoundError, PermissionDeniedError, UnprocessableEntityError
from sqlalchemy import select

from perdure.kit.ids import new_id
from perdure.memory.tables import blocks
from perdure.tenancy import run_tokens
from perdure.tenancy.actor import Actor


def test_a_block_is_made_read_changed_and_deleted(client) -> None:
    made = client.blocks.create(
        label="human", value="Ada", description="Who", metadata={"a": [1]}, tags=["x", "y", "x"], limit=50
    )
    assert made.id.startswith("block-")
    assert (made.label, made.value, made.limit, made.tags) == ("human", "Ada", 50, ["x", "y"])
    assert (made.read_only, made.is_template, made.metadata) == (False, False, {"a": [1]})
    assert client.blocks.retrieve(made.id) == made
    changed = client.blocks.update(made.id, value="Bo", label="person", read_only=True)
    assert (changed.value, changed.label, changed.read_only, changed.description) == (
        "Bo",
        "person",
        True,
        "Who",
    )
    client.blocks.delete(made.id)
    with pytest.raises(NotFoundError, match="There is no block"):
        client.blocks.retrieve(made.id)


def test_the_answer_has_the_fields_of_the_contract_and_no_more(http) -> None:
    made = http.post("/v1/blocks/", json={"label": "human", "value": None}).json()
    assert set(made) == {
        "value",
        "limit",
        "project_id",
        "template_name",
        "is_template",
        "template_id",
        "base_template_id",
        "deployment_id",
        "entity_id",
        "preserve_on_migration",
        "label",
        "read_only",
        "description",
        "metadata",
        "hidden",
        "id",
        "created_by_id",
        "last_updated_by_id",
        "tags",
        "version",  # ours
    }
    assert (made["value"], made["limit"]) == ("", 100_000)


def test_null_clears_and_what_is_left_out_stays(http) -> None:
    made = http.post(
        "/v1/blocks/",
        json={
            "label": "a",
            "value": "v",
            "description": "d",
            "metadata": {"k": 1},
            "tags": ["t"],
            "limit": 9,
        },
    ).json()
    cleared = http.patch(
        f"/v1/blocks/{made['id']}",
        json={"value": None, "description": None, "metadata": None, "tags": None, "limit": None},
    ).json()
    assert cleared == {
        **made,
        "value": "",
        "description": None,
        "metadata": {},
        "tags": [],
        "limit": 100_000,
        "version": 2,
    }
    assert http.patch(f"/v1/blocks/{made['id']}", json={}).json() == cleared
    assert http.patch(f"/v1/blocks/{made['id']}", json={"label": None}).status_code == 422


@pytest.mark.parametrize("label", ["", "my human", "a" * 51, "ü", "a\n"])
def test_a_label_that_is_none_is_refused_with_the_rule(client, label) -> None:
    with pytest.raises(UnprocessableEntityError, match="1 to 50 letters, digits"):
        client.blocks.create(label=label, value="")


def test_a_value_over_the_limit_is_refused_with_the_excess(client) -> None:
    with pytest.raises(UnprocessableEntityError, match="2 over its limit of 3"):
        client.blocks.create(label="a", value="12345", limit=3)
    made = client.blocks.create(label="a", value="123", limit=3)
    with pytest.raises(UnprocessableEntityError, match="1 over its limit of 3"):
        client.blocks.update(made.id, value="1234")


@pytest.mark.parametrize("limit", [0, -1, 2**31])
def test_an_impossible_limit_is_refused(client, limit) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.blocks.create(label="a", value="", limit=limit)


def test_the_client_pages_through_all_blocks_oldest_first(client) -> None:
    made = [client.blocks.create(label=f"b{i}", value="").id for i in range(5)]
    assert [block.id for block in client.blocks.list(limit=2)] == made
    assert [block.id for block in client.blocks.list(limit=2, order="desc")] == made[::-1]


def test_lists_and_counts_are_filtered(client, http) -> None:
    human = client.blocks.create(label="human", value="Ada", tags=["x", "y"])
    notes = client.blocks.create(label="notes", value="tea", tags=["y"])
    template = client.blocks.create(label="human", value="", is_template=True, template_name="Stock")
    hidden = client.blocks.create(label="human", value="", hidden=True)

    def found(**filters) -> list[str]:
        return [block.id for block in client.blocks.list(**filters)]

    assert found() == [human.id, notes.id]
    assert found(label="human") == [human.id]
    assert found(templates_only=True) == found(templates_only=True, name="Stock") == [template.id]
    assert found(tags=["x", "y"]) == [human.id, notes.id]
    assert found(tags=["x", "y"], match_all_tags=True) == [human.id]
    assert found(value_search="TEA") == [notes.id]
    assert found(connected_to_agents_count_gt=0) == []
    assert found(connected_to_agents_count_eq=[0]) == [human.id, notes.id]
    assert found(extra_query={"show_hidden_blocks": True}) == [human.id, notes.id, hidden.id]
    assert http.get("/v1/blocks/count").json() == 2
    assert http.get("/v1/blocks/count", params={"label": "human"}).json() == 1


def test_blocks_of_another_organization_do_not_exist(client, live, new_key) -> None:
    made = client.blocks.create(label="human", value="Ada")
    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as stranger:
        assert list(stranger.blocks.list()) == []
        for call in (stranger.blocks.retrieve, stranger.blocks.delete, stranger.blocks.update):
            with pytest.raises(NotFoundError):
                call(made.id)
    assert client.blocks.retrieve(made.id).value == "Ada"


def test_a_malformed_id_is_refused(http) -> None:
    assert http.get("/v1/blocks/block-1").status_code == 422


def test_a_change_can_be_meant_for_a_version(client, http) -> None:
    made = client.blocks.create(label="human", value="a")
    path = f"/v1/blocks/{made.id}"
    assert (made.version, http.get(path).headers["etag"]) == (1, '"1"')
    changed = http.patch(path, json={"value": "b"}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["version"]) == (200, '"2"', 2)
    late = (
        http.patch(path, json={"value": "c"}, headers={"if-match": '"1"'}),
        http.patch(path, json={"value": "c", "expected_version": 1}),
        http.delete(path, headers={"if-match": "1"}),
    )
    for refused in late:
        assert refused.status_code == 409
        assert refused.json()["version"] == 2
        said = refused.json()["detail"]
        assert said.startswith("Block 'human' is at version 2, not 1: it was changed at 20")
        assert " by user-" in said
    assert client.blocks.retrieve(made.id).value == "b"
    assert http.patch(path, json={"value": "c"}, headers={"if-match": "*"}).json()["version"] == 3
    assert http.patch(path, json={"value": "c"}, headers={"if-match": "three"}).status_code == 400
    again = client.blocks.update(made.id, value="d", extra_body={"expected_version": 3})
    assert again.value == "d"


def test_a_change_by_label_can_be_meant_for_a_version_too(client, http) -> None:
    agent = client.agents.create(model="demo/offline", memory_blocks=[{"label": "human", "value": "a"}])
    path = f"/v1/agents/{agent.id}/core-memory/blocks/human"
    assert http.get(path).headers["etag"] == '"1"'
    assert http.patch(path, json={"value": "b", "expected_version": 1}).status_code == 200
    assert http.patch(path, json={"value": "c"}, headers={"if-match": 'W/"1"'}).status_code == 409
    assert http.get(path).json()["value"] == "b"


def test_of_changes_at_once_meant_for_one_version_one_is_made(client, http) -> None:
    made = client.blocks.create(label="human", value="")

    def change(letter: str) -> int:
        body = {"value": letter, "expected_version": 1}
        return http.patch(f"/v1/blocks/{made.id}", json=body).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(change, "abcdef")) == [200, *[409] * 5]
    assert client.blocks.retrieve(made.id).version == 2


def test_what_tools_call_cannot_change_what_is_read_only(client, live) -> None:
    agent = client.agents.create(
        model="demo/offline", memory_blocks=[{"label": "rules", "value": "be kind", "read_only": True}]
    )
    [block] = agent.blocks
    organization = live.run(
        lambda conn: conn.execute(
            select(blocks.c.organization_id).where(blocks.c.id == block.id)
        ).scalar_one()
    )
    run = new_id("run")
    token = run_tokens.issue(live.app.state.keyring, Actor(organization), run, timedelta(minutes=1))
    with Letta(base_url=live.url, api_key=token, max_retries=0) as tool:
        attempts = (
            lambda: tool.blocks.update(block.id, value="be rude"),
            lambda: tool.blocks.update(block.id, read_only=False),
            lambda: tool.agents.blocks.update("rules", agent_id=agent.id, value="be rude"),
            lambda: tool.blocks.delete(block.id),
            lambda: tool.agents.blocks.detach(block.id, agent_id=agent.id),
            lambda: tool.agents.update(agent.id, block_ids=[]),
            lambda: tool.post(f"/v1/blocks/{block.id}/history/undo", cast_to=object),
        )
        for attempt in attempts:
            with pytest.raises(PermissionDeniedError, match="read-only"):
                attempt()
        with pytest.raises(PermissionDeniedError, match="cannot erase"):
            tool.delete(f"/v1/blocks/{block.id}/history", cast_to=object)
        free = tool.blocks.create(label="notes", value="")
        tool.blocks.update(free.id, value="tea")
    assert client.agents.blocks.retrieve("rules", agent_id=agent.id).value == "be kind"
    [last, _] = client.get(f"/v1/blocks/{free.id}/history", cast_to=list[dict[str, Any]])
    assert (last["run_id"], last["action"]) == (run, "update")
