"""Words of a text and of those around it."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.db.search.bm25 import REACH, Statistics, Words, scores, words_of

QUERY = frozenset({"violin", "melani"})
counted = st.builds(
    lambda counts, more: Words(counts, sum(counts.values()) + more),
    st.dictionaries(st.sampled_from(sorted(QUERY)), st.integers(1, 9)),
    st.integers(0, 50),
)


def scored(*texts, beside=True):
    """Scores by place of texts that follow one another."""
    entries = {
        at: words_of(text.split(), QUERY, len(text.split()))
        for at, text in enumerate(texts)
        if QUERY & set(text.split())
    }
    near = {
        at: [
            (other, abs(other - at))
            for other in range(max(0, at - REACH), min(len(texts), at + REACH + 1))
            if other != at
        ]
        for at in entries
    }
    return scores(entries, near if beside else {}, statistics(entries.values(), len(texts)))


def statistics(entries, number):
    frequency = {word: sum(word in entry.counts for entry in entries) for word in QUERY}
    return Statistics(number, 3.0, frequency)


def test_an_answer_is_found_by_the_question_before_it():
    found = scored("hi there", "what instrument melani", "violin and so on", "i see", "oh", "well", "bye")
    assert min(found[1], found[2]) > found[3] > found[4] > 0
    assert 5 not in found
    assert found[2] > scored("hi", "hi", "violin and so on", "i see", "oh", "well", "bye")[2]


def test_a_rare_word_tells_more_than_a_common_one():
    found = scored("melani a", "b c", "c d", "melani e", "f g", "melani h", "i j", "k l", "violin m")
    assert found[8] > found[0]


def test_a_word_counts_little_more_for_standing_next_door_too():
    texts = ("x", "violin a", "violin b", "z")
    assert scored(*texts, beside=False)[1] < scored(*texts)[1] < 2 * scored(*texts, beside=False)[1]


def test_nothing_of_nothing():
    assert scored("a b", "c d") == {}


@given(st.dictionaries(st.integers(0, 9), counted, max_size=8), st.integers(10, 1000))
def test_neighbours_add_and_never_take(entries, number):
    near = {at: [(at + 1, 1), (at + 2, 2), (at - 1, 1)] for at in entries}
    known = statistics(entries.values(), number)
    alone, together = scores(entries, {}, known), scores(entries, near, known)
    assert alone.keys() <= together.keys()
    assert all(0 < value <= together[at] + 1e-9 for at, value in alone.items())
