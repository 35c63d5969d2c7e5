"""One search on both databases: by words, by meaning, both; within scopes and filters."""
# pyright: basic

from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, text

from perdure.db.search import NewEntry, index, leave, pending, reindex, respace, spaces
from perdure.db.search.corpus import ensure_indexes

from .conftest import ORGANIZATION, unit


async def test_a_text_is_found_at_once_by_other_forms_of_its_words(notes):
    await notes.add("a", "She was studying the paintings in Kraków")
    await notes.add("b", "Nothing of that kind")
    [hit] = await notes.hits("KRAKOW: a study of painting")
    assert (hit.id, hit.lexical_rank, hit.vector_rank, hit.vector_score) == ("a", 1, None, None)
    assert hit.lexical_score > 0
    assert hit.score == 1


async def test_rare_words_count_more_and_short_texts_fit_better(notes):
    for number in range(20):
        await notes.add(f"cat-{number}", "a cat sat here with many others of its kind and looked about")
    await notes.add("zebra", "a zebra stood there among all the others of its kind and looked about")
    await notes.add("cat", "the cat")
    assert (await notes.found("cat or zebra"))[:2] == ["zebra", "cat"]


async def test_common_words_are_looked_for_only_where_there_are_no_others(notes):
    await notes.add("band", "The Who")
    await notes.add("dog", "the dog")
    assert await notes.found("the dog") == ["dog"]
    assert await notes.found("the who") == ["band", "dog"]


async def test_scopes_and_organizations_are_kept_apart(notes):
    await notes.add("a", "apple", scope="one")
    await notes.add("b", "apple", scope="two")
    await notes.add("c", "apple", scope="one", organization="org-2")
    assert await notes.found("apple", scopes=["one"]) == ["a"]
    assert set(await notes.found("apple", scopes=["one", "two"])) == {"a", "b"}
    assert set(await notes.found("apple")) == {"a", "b"}
    assert await notes.found("apple", organization="org-2") == ["c"]
    assert await notes.found("apple", scopes=[]) == []


async def test_a_filter_comes_before_the_limit(notes):
    for number in range(30):
        await notes.add(f"new-{number}", "apple apple apple", space="s@2")
    await notes.add("old", "an apple among many other words that were said", year=1999, space="s@2")
    await notes.embed({"old": (0, 1), **{f"new-{number}": (1, 0) for number in range(30)}})
    before = notes.corpus.items.c.year < 2000
    for mode in ("fts", "vector", "hybrid"):
        assert await notes.found("apple", where=before, limit=1, mode=mode, vectors={"s@2": unit(1, 0)}) == [
            "old"
        ]


async def test_meaning_and_words_are_joined_by_score(notes):
    await notes.add("both", "apple pie", space="s@2")
    await notes.add("words", "apple tart", space="s@2")
    await notes.add("meaning", "a cake of fruit", space="s@2")
    await notes.embed({"both": (1, 0.1), "words": (-1, 0), "meaning": (1, 0.5)})
    hits = await notes.hits("apple pie", vectors={"s@2": unit(1, 0)})
    assert [hit.id for hit in hits] == ["both", "meaning", "words"]
    assert (hits[0].lexical_rank, hits[0].vector_rank) == (1, 1)
    assert hits[0].score == pytest.approx(1.7, abs=0.2)
    assert hits[0].vector_score == pytest.approx(1 / 1.01**0.5, abs=1e-3)
    assert hits[1].lexical_rank is None
    assert await notes.found("apple", mode="vector", vectors={"s@2": unit(1, 0)}) == [
        "both",
        "meaning",
        "words",
    ]
    assert set(await notes.found("apple", mode="fts", vectors={"s@2": unit(1, 0)})) == {"both", "words"}


async def test_what_stands_around_a_text_tells_of_it(notes):
    said = ["hello", "what instrument do you play", "mine is in the corner", "oh", "really", "yes", "bye"]
    for number, text_ in enumerate(said):
        await notes.add(f"n{number}", text_, series="talk", space="s@2", year=2000 + number)
        await notes.add(f"other{number}", "said elsewhere at the same time", series="others")
    assert await notes.found("instrument", scopes=["scope-1"]) == ["n1"]
    await notes.embed({f"n{number}": (1, 0) for number in range(len(said))})
    asked = {"scopes": ["scope-1"], "vectors": {"s@2": unit(1, 0)}}
    hits = await notes.hits("instrument", **asked)
    assert [hit.id for hit in hits][:3] == ["n1", "n2", "n0"]
    assert [hit.lexical_rank for hit in hits[:5]] == [1, 2, 3, 4, None]
    after = notes.corpus.items.c.year > 2001
    assert (await notes.found("instrument", where=after, **asked))[:2] == ["n2", "n3"]
    changed = [NewEntry("n1", "scope-1", "what do you eat", "s@2", "talk")]
    await notes.db.write(reindex, notes.corpus, ORGANIZATION, changed)
    await notes.embed({"n1": (1, 0)})
    assert (await notes.found("eating", **asked))[:3] == ["n1", "n2", "n0"]
    notes.corpus = replace(notes.corpus, in_order=False)
    [first, second, *_] = await notes.hits("eating", **asked)
    assert (first.id, second.lexical_rank) == ("n1", None)


async def test_entered_together_they_stand_in_their_order(notes):
    def store(conn):
        items = [{"id": f"n{number}", "text": text, "year": 1} for number, text in enumerate(texts)]
        conn.execute(insert(notes.corpus.items), items)
        entries = [NewEntry(each["id"], "scope-1", each["text"]) for each in items]
        index(conn, notes.corpus, ORGANIZATION, entries[:3])
        index(conn, notes.corpus, ORGANIZATION, entries[3:4])
        index(conn, notes.corpus, ORGANIZATION, entries[4:])

    texts = ["one", "two", "three", "four", "five", "six"]
    await notes.db.write(store)
    table = notes.corpus.entries.c
    places = select(table.id, table.position).order_by(table.position)
    found = await notes.db.read(lambda conn: [tuple(row) for row in conn.execute(places)])
    assert found == [(f"n{number}", number + 1) for number in range(6)]


async def test_entries_wait_for_their_vectors_oldest_first(notes):
    for number in range(3):
        await notes.add(f"n{number}", f"text {number}", space="s@2")
    await notes.add("words only", "text")
    waiting = await notes.db.read(pending, notes.corpus, 2)
    assert [(each.id, each.text, each.space) for each in waiting] == [
        ("n0", "text 0", "s@2"), ("n1", "text 1", "s@2"),
    ]  # fmt: skip
    await notes.embed({"n0": (1, 0), "n1": (0, 1), "n2": (1, 1)})
    assert await notes.db.read(pending, notes.corpus, 10) == []
    assert await notes.db.read(spaces, notes.corpus, ORGANIZATION, ["scope-1"]) == ["s@2"]


async def test_old_vectors_serve_until_new_ones_replace_them(notes):
    await notes.add("a", "one", space="old@2")
    await notes.add("b", "two", space="old@2")
    await notes.embed({"a": (1, 0), "b": (0, 1)})
    await notes.db.write(respace, notes.corpus, ["scope-1"], "new@3")
    asked = {"old@2": unit(1, 0), "new@3": unit(0, 0, 1)}
    assert await notes.found("", vectors=asked) == ["a", "b"]
    await notes.embed({"b": (0, 0, 1)})
    assert set(await notes.found("", vectors=asked)) == {"a", "b"}
    assert await notes.db.read(spaces, notes.corpus, ORGANIZATION, None) == ["new@3", "old@2"]
    await notes.embed({"a": (0, 1, 0)})
    assert await notes.found("", vectors=asked) == ["b", "a"]
    await notes.db.write(respace, notes.corpus, ["scope-1"], None)
    assert await notes.found("", vectors=asked) == []
    assert await notes.db.read(pending, notes.corpus, 10) == []


async def test_what_is_deleted_or_changed_is_found_no_more(notes):
    await notes.add("a", "apple", space="s@2")
    await notes.add("b", "apple", space="s@2")
    await notes.embed({"a": (1, 0), "b": (1, 0)})
    await notes.db.write(lambda conn: conn.execute(delete(notes.corpus.items).filter_by(id="a")))
    assert await notes.found("apple", vectors={"s@2": unit(1, 0)}) == ["b"]
    changed = [NewEntry("b", "scope-1", "a pear", "s@2", "b")]
    await notes.db.write(reindex, notes.corpus, ORGANIZATION, changed)
    assert await notes.found("apple", vectors={"s@2": unit(1, 0)}) == []
    assert await notes.found("pears") == ["b"]
    await notes.db.write(leave, notes.corpus, ["b"])
    assert await notes.found("pears") == []


async def test_indexes_are_made_for_tables_that_revisions_made(notes):
    await notes.add("a", "apple")
    index = notes.corpus.index
    drop = f"drop table {index}" if notes.db.dialect == "sqlite" else f"drop index {index}"

    def forget(conn):
        if notes.db.dialect == "sqlite":
            conn.execute(text(f"drop trigger {index}_insert"))
            conn.execute(text(f"drop trigger {index}_delete"))
        conn.execute(text(drop))
        ensure_indexes(conn, notes.corpus.entries.metadata)
        ensure_indexes(conn, notes.corpus.entries.metadata)

    await notes.db.write(forget)
    await notes.add("b", "apple")
    assert set(await notes.found("apple")) == {"a", "b"}
