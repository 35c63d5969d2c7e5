"""Lists of what was found, each by its own measure, joined by rank. Pure."""

from collections.abc import Mapping, Sequence

K = 60
BLOCK = 100


def fused(lists: Sequence[Sequence[int]], weights: Sequence[float]) -> list[tuple[int, float]]:
    """Numbers with their reciprocal ranks summed over the lists, best first; equals by the greater number.

    It is done in blocks of ranks: whatever is in a later one comes behind, so that longer lists only
    add at the end, and pages of a search fit together.
    """
    found: dict[int, float] = {}
    deepest = max(map(len, lists), default=0)
    for start in range(0, deepest, BLOCK):
        block: dict[int, float] = {}
        for ranked, weight in zip(lists, weights, strict=True):
            for rank, number in enumerate(ranked[start : start + BLOCK], start + 1):
                if number not in found:
                    block[number] = block.get(number, 0.0) + weight / (K + rank)
        found.update(sorted(block.items(), key=lambda item: (-item[1], -item[0])))
    return list(found.items())


def depth(limit: int) -> int:
    """How long lists must be for so many results: whole blocks, so that their order stays."""
    return -(-max(limit, 1) // BLOCK) * BLOCK


def ranks(ranked: Sequence[tuple[int, float]]) -> Mapping[int, tuple[int, float]]:
    """Where each number stands in a list, from 1, with its score."""
    return {number: (rank, score) for rank, (number, score) in enumerate(ranked, 1)}
