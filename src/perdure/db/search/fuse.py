"""Makes one order of two: by words and by meaning. Pure.

Scores, not ranks, are joined: how far the best is ahead of the second says how sure a list is, and reciprocal
ranks forget it. Measured against them in docs/decisions/0005-search.md.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

MEANING = 0.7  # what the best by meaning counts, of the best by words

Key = TypeVar("Key", int, str)


def fuse(lexical: Mapping[Key, float], cosines: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    """The joint score of each candidate; `cosines` has one mapping for each space of vectors.

    Scores of words count relative to the best one, cosines by their place between the lowest candidate's and
    the best one's, since models differ in what "unrelated" is. A mapping should have all candidates whose
    score is known, so that those which one list found are not at a loss in the other; missing ones count 0.
    """
    best = max(lexical.values(), default=0.0)
    fused = {key: value / best if best > 0 else 0.0 for key, value in lexical.items()}
    for space in cosines:
        for key, value in _relative(space).items():
            fused[key] = fused.get(key, 0.0) + MEANING * value
    return fused


def _relative(scores: Mapping[Key, float]) -> dict[Key, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high <= low:
        return dict.fromkeys(scores, 1.0)
    return {key: (value - low) / (high - low) for key, value in scores.items()}


def newest(numbers: Iterable[int]) -> dict[int, float]:
    """How new each is beside the others: 1 for the newest, towards 0 for the oldest."""
    ordered = sorted(numbers)
    return {number: place / len(ordered) for place, number in enumerate(ordered, 1)}


def ranks(scores: Mapping[int, float]) -> dict[int, tuple[int, float]]:
    """Where each number stands, from 1, with its score; of equals the newer one comes first."""
    ordered = sorted(scores.items(), key=lambda item: (-item[1], -item[0]))
    return {number: (rank, score) for rank, (number, score) in enumerate(ordered, 1)}
