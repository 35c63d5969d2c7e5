"""How well a text answers by its words: BM25 over its own and, more faintly, its neighbours'. Pure.

A turn of a conversation or a paragraph of a file says half of what it means: the question stands before it,
the name in the line above. So a text's words are those of a record with fields (BM25F): its own in full,
those of the entries next to it in its series by `FADING` for each step away. Why, and what it brings where
neighbours have nothing to do with each other: docs/decisions/0005-search.md.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

K1, B = 0.9, 0.4
FADING = 0.4
REACH = 2  # entries before and after
SHARES = tuple(FADING**steps for steps in range(REACH + 1))


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Words:
    """What counts of one entry: how often it has the query's lexemes, and its length in lexemes."""

    counts: Mapping[str, int]
    length: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the entries searched: how many, how long on average, and how many have each lexeme of the query."""

    entries: int
    average_length: float
    frequency: Mapping[str, int]


def words_of(lexemes: Sequence[str], query: frozenset[str], length: int) -> Words:
    """An entry's lexemes, counted for this query."""
    return Words({lexeme: lexemes.count(lexeme) for lexeme in query.intersection(lexemes)}, length)


def rarity(statistics: Statistics) -> dict[str, float]:
    """What each lexeme of the query tells: the rarer, the more; never below zero."""
    return {
        lexeme: math.log(1 + (max(statistics.entries, having) - having + 0.5) / (having + 0.5))
        for lexeme, having in statistics.frequency.items()
    }


def scores(
    entries: Mapping[Key, Words],
    neighbours: Mapping[Key, Iterable[tuple[Key, int]]],
    statistics: Statistics,
) -> dict[Key, float]:
    """The BM25 of each entry that has words of the query, and of their neighbours.

    `neighbours` has, for an entry, others of its series with how many steps away each is, from 1 to `REACH`.
    """
    felt: dict[Key, dict[str, float]] = {}
    per_lexeme = B / (statistics.average_length or 1.0)
    for number, words in entries.items():
        share = 1 / (1 - B + per_lexeme * words.length)
        counts = words.counts.items()
        for near, steps in ((number, 0), *neighbours.get(number, ())):
            faded = share * SHARES[steps]
            strengths = felt.get(near)
            if strengths is None:
                felt[near] = {lexeme: count * faded for lexeme, count in counts}
                continue
            for lexeme, count in counts:
                strengths[lexeme] = strengths.get(lexeme, 0.0) + count * faded
    telling = rarity(statistics)
    return {
        number: sum(
            telling[word] * strength * (K1 + 1) / (strength + K1) for word, strength in strengths.items()
        )
        for number, strengths in felt.items()
        if strengths
    }
