"""Tools as rows: the built-in ones follow the code."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, insert, update

from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page
from perdure.tenancy.actor import Actor
from perdure.tools import store
from perdure.tools.base import ToolContext, tool
from perdure.tools.store import ToolFilter
from perdure.tools.tables import tools


@tool("letta_core", parallel=True)
async def alpha_search(ctx: ToolContext, query: str) -> str:
    """Search.

    Args:
        query: What.
    """
    return query


@tool("letta_memory_core")
async def beta(ctx: ToolContext) -> None:
    """Do nothing."""


BUILTINS = (alpha_search, beta)


async def all_rows(db: Any, actor: Actor, wanted: ToolFilter = ToolFilter()) -> list[store.ToolRow]:  # noqa: B008
    return await db.read(store.list_, actor, Page(order="asc"), wanted)


async def add_custom(db: Any, actor: Actor, name: str) -> str:
    values = {
        "id": store.builtin_id("custom", actor.organization_id + name),
        "organization_id": actor.organization_id,
        "name": name,
        "kind": "custom",
        "description": "",
        "json_schema": {},
        "tags": [],
        "return_char_limit": 5,
        "parallel": False,
        "created_at": now(),
        "updated_at": now(),
    }
    await db.write(lambda conn: conn.execute(insert(tools).values(values)))
    return values["id"]


async def test_builtins_are_rows_with_ids_that_are_always_the_same(shared_database, actor) -> None:
    for _ in range(2):
        await shared_database.write(store.sync_builtins, actor.organization_id, BUILTINS)
    rows = {row.name: row for row in await all_rows(shared_database, actor)}
    assert set(rows) == {"alpha_search", "beta"}
    row = rows["alpha_search"]
    assert row.id == store.builtin_id(actor.organization_id, "alpha_search")
    assert (row.kind, row.parallel, row.description) == ("letta_core", True, "Search.")
    assert row.parameters["required"] == ["query"]
    assert "async def alpha_search" in str(row.source_code)
    assert await shared_database.read(store.get, actor, row.id) == row


async def test_a_changed_builtin_is_updated_and_the_rest_left_alone(shared_database, actor) -> None:
    await shared_database.write(store.sync_builtins, actor.organization_id, BUILTINS)
    before = {row.name: row for row in await all_rows(shared_database, actor)}
    changed = replace(alpha_search, schema={**alpha_search.schema, "description": "Search well."})
    await shared_database.write(store.sync_builtins, actor.organization_id, (changed, beta))
    after = {row.name: row for row in await all_rows(shared_database, actor)}
    assert after["beta"] == before["beta"]
    assert after["alpha_search"].description == "Search well."
    assert after["alpha_search"].id == before["alpha_search"].id


async def test_a_tool_of_a_user_keeps_its_name(shared_database, actor) -> None:
    custom = await add_custom(shared_database, actor, "beta")
    await shared_database.write(store.sync_builtins, actor.organization_id, BUILTINS)
    (row,) = await shared_database.read(store.by_names, actor, ["beta"])
    assert (row.id, row.kind) == (custom, "custom")
    assert row.parameters == {"type": "object", "properties": {}}


async def test_every_organization_is_brought_up_to_date_at_start(shared_database, actor) -> None:
    await shared_database.write(store.sync_all, BUILTINS)
    assert [
        row.name for row in await shared_database.read(store.by_names, actor, ["beta", "x", "alpha_search"])
    ] == [
        "beta",
        "alpha_search",
    ]
    stale = (
        update(tools)
        .where(tools.c.organization_id == actor.organization_id)
        .values(digest=None, description="?")
    )
    await shared_database.write(lambda conn: conn.execute(stale))
    await shared_database.write(store.sync_all, BUILTINS)
    assert "?" not in {row.description for row in await all_rows(shared_database, actor)}


async def test_a_start_without_news_is_one_query(shared_database, actor) -> None:
    await shared_database.write(store.sync_all, BUILTINS)
    statements: list[str] = []

    def work(conn: Any) -> None:
        event.listen(conn, "before_cursor_execute", lambda *args: statements.append(args[2]))
        store.sync_all(conn, BUILTINS)

    await shared_database.write(work)
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ToolFilter(), ["alpha_search", "beta", "mine_100%"]),
        (ToolFilter(name="beta"), ["beta"]),
        (ToolFilter(names=["beta", "gone"]), ["beta"]),
        (ToolFilter(search="SEARCH"), ["alpha_search"]),
        (ToolFilter(search="0%"), ["mine_100%"]),
        (ToolFilter(kinds=["letta_core", "custom"]), ["alpha_search", "mine_100%"]),
        (ToolFilter(excluded_kinds=["letta_core"]), ["beta", "mine_100%"]),
        (ToolFilter(only_builtin=True), ["alpha_search", "beta"]),
        (ToolFilter(no_builtin=True), ["mine_100%"]),
        (ToolFilter(ids=["tool-gone"]), []),
    ],
)
async def test_filters_choose_and_count_alike(shared_database, actor, wanted, expected) -> None:
    await shared_database.write(store.sync_builtins, actor.organization_id, BUILTINS)
    await add_custom(shared_database, actor, "mine_100%")
    assert sorted(row.name for row in await all_rows(shared_database, actor, wanted)) == expected
    assert await shared_database.read(store.count, actor, wanted) == len(expected)


async def test_another_organization_sees_nothing(shared_database, actor) -> None:
    await shared_database.write(store.sync_builtins, actor.organization_id, BUILTINS)
    tool_id = store.builtin_id(actor.organization_id, "beta")
    stranger = Actor("org-elsewhere")
    with pytest.raises(NotFound, match=tool_id):
        await shared_database.read(store.get, stranger, tool_id)
    assert await all_rows(shared_database, stranger) == []
    assert await shared_database.read(store.by_names, stranger, ["beta"]) == []
