"""What a PATCH may change of a tool that is not its caller's code."""

from dataclasses import replace

import pytest

from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument
from perdure.tools.define import changes_of
from perdure.tools.schemas import UpdateTool
from perdure.tools.store import ToolRow

SCHEMA = {"name": "search", "description": "Search.", "parameters": {"type": "object", "properties": {}}}
ROW = ToolRow(
    id="tool-1",
    organization_id="org-1",
    name="search",
    kind="external_mcp",
    description="Search.",
    source_type=None,
    source_code=None,
    json_schema=SCHEMA,
    args_json_schema=None,
    tags=["mcp:web"],
    return_char_limit=50_000,
    pip_requirements=None,
    npm_requirements=None,
    default_requires_approval=None,
    parallel=False,
    metadata=None,
    project_id=None,
    created_by=None,
    updated_by=None,
    digest=None,
    created_at=now(),
    updated_at=now(),
)


def test_a_tool_of_another_server_keeps_what_that_server_says() -> None:
    body = UpdateTool(tags=["a"], enable_parallel_execution=True, return_char_limit=5)
    assert changes_of(ROW, body) == {"tags": ["a"], "parallel": True, "return_char_limit": 5}
    with pytest.raises(InvalidArgument, match="search is of type external_mcp: its description, json_schema"):
        changes_of(ROW, UpdateTool(description="Mine.", json_schema=SCHEMA))


def test_a_built_in_tool_keeps_what_a_new_version_brings() -> None:
    row = replace(ROW, kind="letta_core")
    assert changes_of(row, UpdateTool(default_requires_approval=True)) == {"default_requires_approval": True}
    with pytest.raises(InvalidArgument, match="is part of the server: its enable_parallel_execution"):
        changes_of(row, UpdateTool(enable_parallel_execution=True))


def test_what_a_source_cannot_tell_is_kept_also_where_it_cannot_be_read() -> None:
    row = replace(ROW, kind="custom", source_type="python", source_code="no python")
    assert changes_of(row, UpdateTool(description="Mine.")) == {
        "description": "Mine.",
        "json_schema": {**SCHEMA, "description": "Mine."},
    }
    assert changes_of(row, UpdateTool(description=None))["description"] == "Search."
    changed = changes_of(row, UpdateTool(source_code="def search(a): ..."))
    assert changed["json_schema"] == SCHEMA
