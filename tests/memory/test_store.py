"""Blocks as rows."""

import asyncio
from typing import Any

import pytest
from tests.memory.mind import Mind, new_agent

from perdure.kit.errors import NotFound, Unprocessable
from perdure.kit.paging import Page
from perdure.memory import store
from perdure.memory.store import BlockFilter
from perdure.tenancy.actor import Actor

LISTED = [
    ("plain", {"label": "human", "value": "Ada 100%", "description": "Who", "tags": ["a", "b"]}),
    ("other", {"label": "notes", "value": "tea", "project_id": "p1", "tags": ["b", 'odd"tag']}),
    ("hidden", {"label": "human", "value": "secret", "hidden": True}),
    ("template", {"label": "human", "value": "Ada", "is_template": True, "template_name": "Stock"}),
]


@pytest.fixture
async def names(shared_database, actor) -> dict[str, str]:
    """Four blocks: from their ids to what they are called here."""

    def work(conn: Any) -> dict[str, str]:
        return {store.create(conn, actor, values).id: name for name, values in LISTED}

    return await shared_database.write(work)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (BlockFilter(), ["plain", "other"]),
        (BlockFilter(show_hidden=True), ["plain", "other", "hidden"]),
        (BlockFilter(templates_only=True), ["template"]),
        (BlockFilter(template_name="Stock", templates_only=True), ["template"]),
        (BlockFilter(template_name="Stock"), []),
        (BlockFilter(label="human"), ["plain"]),
        (BlockFilter(label_search="OTE"), ["other"]),
        (BlockFilter(value_search="ada"), ["plain"]),
        (BlockFilter(value_search="0%"), ["plain"]),
        (BlockFilter(value_search="_"), []),
        (BlockFilter(description_search="who"), ["plain"]),
        (BlockFilter(project_id="p1"), ["other"]),
        (BlockFilter(tags=["a"]), ["plain"]),
        (BlockFilter(tags=["a", 'odd"tag']), ["plain", "other"]),
        (BlockFilter(tags=["a", "b"], match_all_tags=True), ["plain"]),
        (BlockFilter(tags=["tag"]), []),
        (BlockFilter(agents_equal=[0]), ["plain", "other"]),
        (BlockFilter(agents_over=0), []),
        (BlockFilter(agents_under=1), ["plain", "other"]),
    ],
)
async def test_filters_choose_and_count_alike(shared_database, actor, names, wanted, expected) -> None:
    rows = await shared_database.read(store.list_, actor, Page(order="asc"), wanted)
    assert [names[row.id] for row in rows] == expected
    assert await shared_database.read(store.count, actor, wanted) == len(expected)


async def test_blocks_are_counted_by_their_agents(mind: Mind) -> None:
    shared = await mind.add("shared")
    await mind.add("own")
    other = Mind(mind.db, mind.actor, await new_agent(mind.db, mind.actor), mind.dispatcher)
    await mind.db.write(mind.context().blocks.attach_block, mind.actor, other.agent_id, shared)

    async def labels(wanted: BlockFilter) -> list[str]:
        return [row.label for row in await mind.db.read(store.list_, mind.actor, Page(order="asc"), wanted)]

    assert await labels(BlockFilter(agents_over=1)) == ["shared"]
    assert await labels(BlockFilter(agents_under=2)) == ["own"]
    assert await labels(BlockFilter(agents_equal=[1, 2])) == ["shared", "own"]


async def test_a_change_raises_the_version_and_the_same_value_does_not(shared_database, actor) -> None:
    made = await shared_database.write(store.create, actor, {"label": "human", "value": "a"})
    assert (made.version, made.limit, made.created_by) == (1, store.LIMIT, actor.user_id)
    same = await shared_database.write(store.set_value, actor, made.id, "a")
    assert same == made
    changed = await shared_database.write(store.set_value, actor, made.id, "b")
    assert (changed.version, changed.value) == (2, "b")
    assert changed.updated_at > made.updated_at


async def test_the_limit_is_enforced_whatever_changes(shared_database, actor) -> None:
    with pytest.raises(Unprocessable, match="2 over its limit of 3"):
        await shared_database.write(store.create, actor, {"label": "human", "value": "12345", "limit": 3})
    made = await shared_database.write(store.create, actor, {"label": "human", "value": "12345", "limit": 5})
    for changes in ({"value": "123456"}, {"limit": 4}, {"value": "1234567", "limit": 6}):
        with pytest.raises(Unprocessable, match=r"'human' would have \d characters, 1 over"):
            await shared_database.write(store.update, actor, made.id, changes)
    both = await shared_database.write(store.update, actor, made.id, {"value": "123456", "limit": 6})
    assert (both.value, both.limit) == ("123456", 6)


async def test_unstorable_characters_are_dropped_everywhere(shared_database, actor) -> None:
    values = {"label": "a", "value": "x\x00y", "description": "\ud800z", "metadata": {"k\x00": ["\x00v"]}}
    made = await shared_database.write(store.create, actor, values)
    assert (made.value, made.description, made.metadata) == ("xy", "z", {"k": ["v"]})


async def test_changes_at_once_all_count(shared_database, actor) -> None:
    made = await shared_database.write(store.create, actor, {"label": "human"})

    def append(conn: Any) -> None:
        (block,) = store.by_ids(conn, actor, [made.id], to_change=True)
        store.set_value(conn, actor, block.id, block.value + "x")

    await asyncio.gather(*(shared_database.write(append) for _ in range(8)))
    block = await shared_database.read(store.get, actor, made.id)
    assert (block.value, block.version) == ("x" * 8, 9)


async def test_another_organization_sees_nothing(shared_database, actor, mind) -> None:
    made = await shared_database.write(store.create, actor, {"label": "human"})
    stranger = Actor("org-elsewhere")
    for read in (store.get, store.remove):
        with pytest.raises(NotFound):
            await shared_database.write(read, stranger, made.id)
    with pytest.raises(NotFound):
        await shared_database.write(store.set_value, stranger, made.id, "x")
    assert await shared_database.read(store.by_ids, stranger, [made.id]) == []
    assert await shared_database.read(store.list_, stranger, Page()) == []
    assert (await shared_database.read(store.get, actor, made.id)).value == ""


async def test_deleting_a_block_takes_it_from_its_agents(mind: Mind) -> None:
    block = await mind.add("human", "Ada")
    await mind.db.write(store.remove, mind.actor, block)
    assert await mind.values() == {}
    with pytest.raises(NotFound, match=block):
        await mind.db.read(store.get, mind.actor, block)
