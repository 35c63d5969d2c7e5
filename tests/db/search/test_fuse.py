"""One order of two."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.db.search.fuse import MEANING, fuse, newest, ranks

scores = st.dictionaries(st.integers(0, 30), st.floats(0, 50, allow_subnormal=False), max_size=20)
cosines = st.dictionaries(st.integers(0, 30), st.floats(-1, 1, allow_subnormal=False), max_size=20)


def test_the_best_of_both_leads():
    fused = fuse({1: 10.0, 2: 9.0, 3: 1.0}, [{1: 0.2, 2: 0.6, 3: 0.1}])
    assert max(fused, key=fused.__getitem__) == 2


def test_each_space_has_its_own_measure():
    fused = fuse({}, [{1: 0.80, 2: 0.70}, {3: 0.3, 4: 0.1}])
    assert fused[1] == fused[3] == MEANING
    assert fused[2] == fused[4] == 0.0


@given(scores)
def test_words_alone_keep_their_order(lexical):
    fused = fuse(lexical, [])
    assert sorted(fused, key=lambda key: (-lexical[key], key)) == sorted(
        lexical, key=lambda key: (-lexical[key], key)
    )
    assert all(0 <= value <= 1 for value in fused.values())


@given(scores, cosines)
def test_who_leads_in_both_leads(lexical, vectors):
    fused = fuse(lexical, [vectors])
    assert set(fused) == set(lexical) | set(vectors)
    both = set(lexical) & set(vectors)
    if both:
        first = max(both, key=lambda key: (lexical[key], vectors[key]))
        if lexical[first] == max(lexical.values()) and vectors[first] == max(vectors.values()):
            assert fused[first] == max(fused.values())


@given(cosines, st.floats(0.1, 2), st.floats(-1, 1))
def test_a_models_own_scale_changes_nothing(vectors, scale, shift):
    fused = fuse({}, [vectors])
    other = fuse({}, [{key: value * scale + shift for key, value in vectors.items()}])
    for key in fused:
        assert abs(fused[key] - other[key]) < 1e-3 or max(vectors.values()) - min(vectors.values()) < 1e-9


def test_of_equals_the_newer_comes_first():
    assert ranks({1: 0.5, 2: 0.5, 3: 0.7}) == {3: (1, 0.7), 2: (2, 0.5), 1: (3, 0.5)}
    assert newest([7, 9]) == {7: 0.5, 9: 1.0}
    assert newest([]) == {}
