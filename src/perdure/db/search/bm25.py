"""How well texts fit words: BM25. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

K1 = 1.2
B = 0.75


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is searched: how many texts, how long on average, and how many of them have each word."""

    texts: int
    length: float
    with_word: dict[str, int]

    def weight(self, word: str) -> float:
        """What it tells that a text has the word: never negative."""
        having = self.with_word.get(word, 0)
        return math.log(1 + (self.texts - having + 0.5) / (having + 0.5))


def score(statistics: Statistics, wanted: Sequence[str], words: Sequence[str], length: int) -> float:
    """How well a text of these words fits; 0 where it has none of those wanted."""
    norm = K1 * (1 - B + B * length / (statistics.length or 1))
    total = 0.0
    for word in wanted:
        times = words.count(word)
        if times:
            total += statistics.weight(word) * times * (K1 + 1) / (times + norm)
    return total
