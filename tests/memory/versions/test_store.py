"""Versions replay to what a block was, at every version."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from perdure.memory import store as blocks
from perdure.memory.history import change
from perdure.memory.history.change import Target
from perdure.memory.versions import store
from perdure.memory.versions.store import FIELDS, SPAN
from perdure.memory.versions.tables import block_versions

TEXTS = st.text(max_size=40)
CHANGES = st.one_of(
    st.fixed_dictionaries({"value": TEXTS}),
    st.fixed_dictionaries({"value": TEXTS, "label": st.sampled_from(["a", "b"])}),
    st.fixed_dictionaries({"description": st.none() | TEXTS, "read_only": st.booleans()}),
    st.fixed_dictionaries({"metadata": st.dictionaries(TEXTS, st.integers(0, 9), max_size=2)}),
    st.fixed_dictionaries({"tags": st.lists(TEXTS, max_size=2)}),
    st.fixed_dictionaries({"limit": st.integers(100, 200)}),
    st.sampled_from(["undo", "redo", "restore"]),
)


def shown(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("value", *FIELDS)}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, max_size=12), st.integers(0, 2))
async def test_versions_replay_to_the_present_value_at_every_version(
    shared_database: Any, actor: Any, changes: list[Any], spans: int
) -> None:
    def work(conn: Any) -> None:
        row = blocks.create(conn, actor, {"label": "a", "limit": 100})
        was = [shown(row)]
        steps: list[Any] = [{"value": str(n)} for n in range(spans * (SPAN - 3))]
        for each in [*steps, *changes]:
            before = row
            try:
                if each == "restore":
                    row = change.restore(conn, actor, row.id, Target(version=1 + row.version // 2))
                elif isinstance(each, str):
                    row = getattr(change, each)(conn, actor, row.id)
                else:
                    row = blocks.update(conn, actor, row.id, each)
            except (blocks.BlockTooLong, blocks.Conflict):
                continue
            if row.version != before.version:
                was.append(shown(row))
        found = store.versions(conn, actor, row.id, 1, row.version)
        assert [version.columns for version in found] == was
        assert [version.row.version for version in found] == [*range(1, len(was) + 1)]
        for number in {1, (len(was) + 1) // 2, len(was)}:
            assert store.get(conn, actor, row.id, number).columns == was[number - 1]

    await shared_database.write(work)


async def test_thousands_of_changes_of_a_long_block_take_some_megabytes(shared_database, actor) -> None:
    lines = [f"{number}: what was said on day {number * 7919 % 1000}" for number in range(2500)]

    def work(conn: Any) -> int:
        row = blocks.create(conn, actor, {"label": "a", "value": "\n".join(lines)[:99_000]})
        for number in range(200):
            at = number * 401 % 90_000
            row = blocks.set_value(conn, actor, row.id, f"{row.value[:at]}<{number}>{row.value[at + 5 :]}")
        size = select(func.sum(func.length(block_versions.c.value_delta)))
        return conn.execute(size.where(block_versions.c.block_id == row.id)).scalar_one()

    assert await shared_database.write(work) < 200_000


async def test_changes_at_once_make_one_line_of_versions(shared_database, actor) -> None:
    made = await shared_database.write(blocks.create, actor, {"label": "human"})

    def append(conn: Any, letter: str) -> None:
        (block,) = blocks.by_ids(conn, actor, [made.id], to_change=True)
        blocks.set_value(conn, actor, block.id, block.value + letter)

    await asyncio.gather(*(shared_database.write(append, letter) for letter in "abcdefgh"))
    found = await shared_database.read(store.versions, actor, made.id, 1, 99)
    assert [len(version.value) for version in found] == [*range(9)]
    assert sorted(found[-1].value) == [*"abcdefgh"]
    times = [version.row.created_at for version in found]
    assert times == sorted(times)
