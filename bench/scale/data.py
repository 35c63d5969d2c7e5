"""Passages and vectors that behave like real ones: words by Zipf's law, vectors in clusters on few axes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

DIMENSIONS = 384
AXES = 100  # directions in which the vectors of real models mostly differ
CLUSTERS = 2_000
VOCABULARY = 40_000
LENGTH = 40  # words of a passage
TAGS = 20  # one of them for each passage: a filter on a tag passes 5 %


@dataclass(frozen=True, slots=True)
class Made:
    """Some passages: their texts, tags and scopes, and the vectors of all."""

    texts: list[str]
    tags: list[int]
    scopes: list[str]
    vectors: Any


class Source:
    """Makes the same passages each time. Half of them are in one large archive, the others in small ones."""

    def __init__(self, seed: int = 1):
        self._words = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._axes = self._numbers.standard_normal((AXES, DIMENSIONS), dtype=np.float32)
        spread = np.arange(1, AXES + 1, dtype=np.float32) ** -0.4
        self._axes *= spread[:, None]
        self._centres = self._numbers.standard_normal((CLUSTERS, AXES), dtype=np.float32)
        self._mean = self._numbers.standard_normal(AXES).astype(np.float32) * 0.5
        self._vocabulary = [_word(number) for number in range(VOCABULARY)]
        self._shares = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))

    def batches(self, count: int, batch: int) -> Iterator[Made]:
        """So many passages, batch by batch."""
        for start in range(0, count, batch):
            size = min(batch, count - start)
            words = self._words.choices(self._vocabulary, cum_weights=self._shares, k=size * LENGTH)
            numbers = range(start, start + size)
            yield Made(
                [" ".join(words[at : at + LENGTH]) for at in range(0, size * LENGTH, LENGTH)],
                [self._words.randrange(TAGS) for _ in numbers],
                ["large" if number % 2 else f"small-{number // 2_000}" for number in numbers],
                self.vectors(size),
            )

    def vectors(self, count: int) -> Any:
        """Vectors of unit length."""
        clusters = self._numbers.integers(0, CLUSTERS, count)
        scattered = self._numbers.standard_normal((count, AXES), dtype=np.float32)
        made = (self._mean + self._centres[clusters] + scattered) @ self._axes
        made += 0.1 * self._numbers.standard_normal((count, DIMENSIONS), dtype=np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def question(self) -> str:
        """A few words, of those that are rare and of those that are not."""
        return " ".join(self._words.choices(self._vocabulary, cum_weights=self._shares, k=5))


def _word(number: int) -> str:
    """A word that no stemming shortens; of another number another one."""
    letters = ""
    for _ in range(4):
        number, place = divmod(number, 14)
        letters += "bcdfghklmnprtv"[place] + "aoi"[place % 3]
    return letters + "x"
