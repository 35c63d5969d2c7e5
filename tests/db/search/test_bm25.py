"""Words of a text and of those around it."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.db.search.bm25 import REACH, Words, rarity, score, statistics_of, words_of

QUERY = ["violin", "melani"]
counted = st.builds(
    lambda counts, more: Words(counts, sum(counts.values()) + more),
    st.dictionaries(st.sampled_from(QUERY), st.integers(1, 9)),
    st.integers(0, 50),
)


def scored(texts, at):
    entries = [words_of(text.split(), QUERY) for text in texts]
    known = statistics_of(entries)
    around = [
        (abs(other - at), entries[other])
        for other in range(max(0, at - REACH), min(len(texts), at + REACH + 1))
        if other != at
    ]
    return score(entries[at], around, rarity(known), known.average_length)


def test_an_answer_is_found_by_the_question_before_it():
    texts = ["hi there", "what instrument melani", "violin and so on", "i see", "oh", "well", "bye"]
    assert scored(texts, 3) > scored(texts, 5) == 0
    assert scored(texts, 2) > scored(texts, 3)


def test_a_rare_word_tells_more_than_a_common_one():
    texts = ["melani a", "b c", "c d", "melani e", "f g", "melani h", "i j", "k l", "violin m"]
    assert scored(texts, 8) > scored(texts, 0)


def test_a_word_counts_little_more_for_standing_next_door_too():
    alone, twice = ["x", "violin a", "y", "z"], ["violin b", "violin a", "y", "z"]
    known = statistics_of([words_of(text.split(), QUERY) for text in twice])
    once = score(words_of(["violin", "a"], QUERY), [], rarity(known), 2)
    both = score(words_of(["violin", "a"], QUERY), [(1, words_of(["violin", "b"], QUERY))], rarity(known), 2)
    assert once < both < 2 * once
    assert scored(alone, 1) > 0


def test_nothing_of_nothing():
    assert scored(["a b", "c d"], 0) == 0
    assert statistics_of([]).average_length == 0.0


@given(counted, st.lists(st.tuples(st.integers(1, REACH), counted), max_size=4), st.integers(1, 1000))
def test_neighbours_add_and_never_take(own, neighbours, entries):
    known = statistics_of([own, *(words for _, words in neighbours)])
    alone = score(own, [], rarity(known), known.average_length)
    with_them = score(own, neighbours, rarity(known), known.average_length)
    assert 0 <= alone <= with_them + 1e-9
