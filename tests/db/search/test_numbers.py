"""Sketches tell near vectors from far ones."""
# pyright: basic

import time

import numpy as np
import pytest

from perdure.db.search.numbers import Sketches, halved, similarities, sketched


@pytest.mark.parametrize("unevenness", [0.0, 0.5])
def test_the_nearest_are_among_those_that_differ_least(unevenness):
    chance = np.random.default_rng(1)
    spread = np.arange(1, 385) ** -unevenness
    vectors = (chance.standard_normal((3_000, 384)) * spread).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sketches = Sketches()
    sketches.add([(at, at, sketched(vector.tobytes())) for at, vector in enumerate(vectors, 1)])
    found = 0
    for query in vectors[:20] + 0.5 * vectors[-20:]:
        nearest = {int(at) + 1 for at in np.argsort(-(vectors @ query))[:10]}
        found += len(nearest & set(sketches.nearest(sketches.distances(query.tobytes()), 0, 300)))
    assert found / 200 > 0.8


def test_a_sketch_is_small_and_always_the_same():
    vector = np.arange(1, 385, dtype="<f4").tobytes()
    assert len(sketched(vector)) == 64
    assert len(sketched(vector[:12])) == 8
    assert len(sketched(vector[:4] * 1536)) == 256
    assert sketched(vector).hex()[:16] == "4122da9a23722284"
    began = time.perf_counter()
    for _ in range(100):
        sketched(vector)
    assert time.perf_counter() - began < 1


def test_cosines_survive_storing():
    vector = np.array([0.6, -0.8], "<f4").tobytes()
    assert similarities(vector, [halved(vector)]) == pytest.approx([1.0], abs=1e-3)
    assert similarities(vector, []) == []
