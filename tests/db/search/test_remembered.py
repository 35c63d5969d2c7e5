"""What is kept in memory of large scopes, while others search and store."""
# pyright: basic

import asyncio
from itertools import pairwise

import pytest
from sqlalchemy import insert
from sqlalchemy.util import await_only
from tests.db.search.conftest import ORGANIZATION, unit

from perdure.db.search import NewEntry, counts, index, semantic, store_vectors
from perdure.db.search.entries import pending

SPACE = "s@2"


@pytest.fixture
def large(monkeypatch):
    """Let all scopes count as large ones."""
    monkeypatch.setattr(semantic, "FEW", 0)
    monkeypatch.setattr(counts, "SMALL", 0)


def entered(conn, corpus, ids, scope="scope-1", space=SPACE):
    conn.execute(insert(corpus.items), [{"id": id, "text": f"apple {id}", "year": 1} for id in ids])
    index(conn, corpus, ORGANIZATION, [NewEntry(id, scope, f"apple {id}", space) for id in ids])


def embedded(conn, corpus, ids):
    numbers = [each.number for each in pending(conn, corpus, 100) if each.id in ids]
    store_vectors(conn, corpus, SPACE, {number: unit(1, 0) for number in numbers})


async def test_many_search_a_large_scope_at_once(notes, large):
    ids = [f"n{number}" for number in range(50)]
    await notes.db.write(entered, notes.corpus, ids)
    await notes.db.write(embedded, notes.corpus, ids)

    def search():
        return notes.found("apple", vectors={SPACE: unit(1, 0)}, limit=50)

    found = await asyncio.wait_for(asyncio.gather(*(search() for _ in range(8))), 20)
    assert [set(each) for each in found] == [set(ids)] * 8
    assert all(before == after for before, after in pairwise(found))


async def test_a_scope_without_vectors_is_searched_beside_a_large_one(notes, large):
    await notes.db.write(entered, notes.corpus, ["a"])
    await notes.db.write(entered, notes.corpus, ["b"], "scope-2", None)
    await notes.db.write(embedded, notes.corpus, ["a"])
    asked = {"vectors": {SPACE: unit(1, 0)}, "scopes": ["scope-1", "scope-2"]}
    assert await notes.found("", mode="vector", **asked) == ["a"]
    assert set(await notes.found("apple", **asked)) == {"a", "b"}


async def test_vectors_that_two_servers_store_at_once_are_all_found(notes, large):
    if notes.db.dialect == "sqlite":
        return  # it has one writer
    await notes.db.write(entered, notes.corpus, ["a", "b"])
    stored, go_on = asyncio.Event(), asyncio.Event()

    def slowly(conn):
        embedded(conn, notes.corpus, ["a"])
        stored.set()
        await_only(go_on.wait())

    slow = asyncio.create_task(notes.db.write(slowly))
    await stored.wait()
    fast = asyncio.create_task(notes.db.write(embedded, notes.corpus, ["b"]))
    await asyncio.wait([fast], timeout=0.2)
    asked = {"vectors": {SPACE: unit(1, 0)}, "mode": "vector"}
    await notes.found("", **asked)
    go_on.set()
    await asyncio.gather(slow, fast)
    assert set(await notes.found("", **asked)) == {"a", "b"}


async def test_no_limit_is_too_high(notes):
    await notes.db.write(entered, notes.corpus, ["a"])
    found = notes.found("apple", limit=10**11)
    assert await asyncio.wait_for(found, 5) == ["a"]
