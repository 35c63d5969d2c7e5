"""`/v1/tools` through the official client."""

import pytest
from letta_client import BadRequestError, NotFoundError

MEMORY = ["core_memory_append", "core_memory_replace", "memory", "memory_apply_patch"]


def test_a_new_organization_has_the_built_in_tools(client) -> None:
    found = {tool.name: tool for tool in client.tools.list(limit=3)}
    assert {*MEMORY, "memory_insert", "memory_replace", "send_message", "conversation_search"} <= set(found)
    insert = found["memory_insert"]
    assert insert.tool_type == "letta_sleeptime_core"
    assert insert.source_type == "python"
    assert insert.return_char_limit == 50_000
    assert insert.json_schema["name"] == "memory_insert"
    assert insert.json_schema["parameters"]["required"] == ["label", "new_string"]
    assert found["conversation_search"].enable_parallel_execution is True
    assert client.tools.retrieve(insert.id) == insert


def test_tools_are_found_by_name_id_type_and_part_of_a_name(client, http) -> None:
    def names(**filters) -> list[str]:
        return sorted(tool.name for tool in client.tools.list(limit=2, **filters))

    memory = client.tools.list(name="memory").items[0]
    assert names(name="memory") == ["memory"]
    assert names(names=["memory", "send_message"]) == ["memory", "send_message"]
    assert names(tool_ids=[memory.id]) == ["memory"]
    assert names(search="APPEND") == ["core_memory_append"]
    assert names(tool_types=["letta_memory_core"]) == MEMORY
    assert names(extra_query={"tool_types": "letta_memory_core, letta_files_core"}) == sorted(
        [*MEMORY, "grep_files", "open_files", "semantic_search_files"]
    )
    assert not set(MEMORY) & set(names(exclude_tool_types=["letta_memory_core"]))
    assert names(return_only_letta_tools=True) == names()
    with pytest.raises(BadRequestError, match="there is no tool type memory_core"):
        names(tool_types=["memory_core"])


def test_counts_follow_the_same_filters(client, http) -> None:
    everything = len(list(client.tools.list()))
    assert http.get("/v1/tools/count").json() == everything
    assert http.get("/v1/tools/count", params={"tool_types": "letta_memory_core"}).json() == len(MEMORY)
    assert http.get("/v1/tools/count", params={"exclude_letta_tools": True}).json() == 0


def test_adding_the_base_tools_again_changes_nothing(client, http) -> None:
    before = {tool.id for tool in client.tools.list()}
    added = http.post("/v1/tools/add-base-tools").json()
    assert {tool["id"] for tool in added} == before


def test_tools_of_another_organization_do_not_exist(client, live, new_key) -> None:
    from letta_client import Letta

    mine = client.tools.list(name="memory").items[0]
    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as stranger:
        with pytest.raises(NotFoundError):
            stranger.tools.retrieve(mine.id)
        assert stranger.tools.list(name="memory").items[0].id != mine.id
        assert list(stranger.tools.list(tool_ids=[mine.id])) == []
