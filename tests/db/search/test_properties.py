"""Against brute force: no filter loses a match, pages fit together, both databases find the same."""
# pyright: basic

import random
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from perdure.db.search import NewEntry, counts, index, semantic, store_vectors
from perdure.db.search.entries import pending

from .conftest import ORGANIZATION, unit

WORDS = ["apple", "pear", "plum", "fig", "kiwi", "lime"]
SCOPES = ("one", "two")


@pytest.fixture
async def many(notes):
    """Two hundred notes of few words, with vectors of three numbers."""
    chance = random.Random(7)
    made = []
    for number in range(200):
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 6)))
        vector = [chance.uniform(-1, 1) for _ in range(3)]
        made.append((f"n{number:03}", text, chance.choice(SCOPES), chance.randint(1, 9), vector))

    def store(conn):
        conn.execute(
            insert(notes.corpus.items),
            [{"id": id, "text": text, "year": year} for id, text, _, year, _ in made],
        )
        entries = [NewEntry(id, scope, text, "s@3") for id, text, scope, _, _ in made]
        index(conn, notes.corpus, ORGANIZATION, entries)
        vectors = {id: unit(*vector) for id, _, _, _, vector in made}
        numbers = {each.number: vectors[each.id] for each in pending(conn, notes.corpus, 1000)}
        store_vectors(conn, notes.corpus, "s@3", numbers)

    await notes.db.write(store)
    notes.made = made
    return notes


@pytest.fixture(params=["all are read", "large"])
def kind(request, monkeypatch):
    """Small numbers take the ways of large scopes, too."""
    if request.param == "large":
        monkeypatch.setattr(counts, "SMALL", 10)
        monkeypatch.setattr(semantic, "FEW", 10)
        monkeypatch.setattr(semantic, "FIRST", 3)
    return request.param


questions = st.fixed_dictionaries(
    {
        "words": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
        "scopes": st.sampled_from([None, ["one"], ["two"], ["one", "two"]]),
        "year": st.integers(0, 10),
        "limit": st.integers(1, 250),
        "mode": st.sampled_from(["fts", "vector", "hybrid"]),
        "vector": st.tuples(*[st.sampled_from([-2, -1, 1, 2])] * 3),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions)
async def test_no_filter_loses_a_match_and_longer_searches_only_add(many, kind, asked):
    wanted = {
        "scopes": asked["scopes"],
        "where": many.corpus.items.c.year >= asked["year"],
        "mode": asked["mode"],
        "vectors": {"s@3": unit(*asked["vector"])},
    }
    inside = [
        note for note in many.made
        if note[3] >= asked["year"] and (asked["scopes"] is None or note[2] in asked["scopes"])
    ]  # fmt: skip
    with_words = {note[0] for note in inside if set(note[1].split()) & set(asked["words"])}
    everything = await many.found(" ".join(asked["words"]), limit=250, **wanted)
    assert len(set(everything)) == len(everything)
    expected = with_words if asked["mode"] == "fts" else {note[0] for note in inside}
    assert set(everything) == expected
    assert (
        await many.found(" ".join(asked["words"]), limit=asked["limit"], **wanted)
        == (everything[: asked["limit"]])
    )


async def test_vectors_are_ranked_exactly_and_words_by_their_scores(many, kind):
    query = (0.2, -0.5, 0.8)
    length = sum(number * number for number in query) ** 0.5

    def cosine(vector):
        own = sum(number * number for number in vector) ** 0.5
        return sum(one * other for one, other in zip(vector, query, strict=True)) / own / length

    expected = sorted(many.made, key=lambda note: -cosine(note[4]))[:40]
    hits = await many.hits("", mode="vector", vectors={"s@3": unit(*query)}, limit=40)
    assert [hit.vector_score for hit in hits] == pytest.approx(
        [cosine(note[4]) for note in expected], abs=2e-3
    )
    found = await many.hits("apple fig", mode="fts", limit=250)
    assert [hit.lexical_rank for hit in found] == list(range(1, len(found) + 1))
    assert [hit.lexical_score for hit in found] == sorted((hit.lexical_score for hit in found), reverse=True)


RESULTS = defaultdict(dict)


async def test_both_databases_find_the_same(many):
    for words in ("apple", "plum fig", "kiwi lime pear"):
        for mode in ("fts", "hybrid"):
            hits = await many.hits(words, mode=mode, vectors={"s@3": unit(1, 2, 3)}, limit=150)
            RESULTS[words, mode][many.db.dialect] = [(hit.id, round(hit.score, 9)) for hit in hits]
    for found in RESULTS.values():
        one, *others = found.values()
        assert all(other == one for other in others)
