"""Arithmetic on vectors with NumPy, which takes long to import: loaded when vectors are used."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = bytes | memoryview
Numbers = NDArray[np.int64]

WORD = 8  # bytes of a sketch that are compared at once
FIRST = 1024


def halved(vector: Bytes) -> bytes:
    """A vector of float32 as it is stored, in float16."""
    return np.frombuffer(vector, "<f4").astype("<f2").tobytes()


def sketched(vector: Bytes) -> bytes:
    """The signs of a vector's numbers, a bit for each, filled up to whole words."""
    bits = np.packbits(np.frombuffer(vector, "<f4") > 0).tobytes()
    return bits + bytes(-len(bits) % WORD)


def similarities(query: Bytes, stored: Sequence[bytes]) -> list[float]:
    """The cosines of stored vectors with the query's."""
    if not stored:
        return []
    wanted = np.frombuffer(query, "<f4")
    matrix = np.frombuffer(b"".join(stored), "<f2").reshape(len(stored), -1).astype("<f4")
    return (matrix @ wanted).tolist()


class Sketches:
    """The sketches of many vectors, in memory: a bit for each number, 56 bytes for a vector of 384.

    What is added stays, also when it is stored no more: whoever uses the numbers finds that out. Reading
    while another thread adds sees what was there before.
    """

    def __init__(self, rows: int = FIRST):
        self.last = 0  # the greatest id of what was added
        self._adding = threading.Lock()
        self._count = 0
        self._numbers: Numbers = np.empty(rows, np.int64)
        self._words: NDArray[np.uint64] = np.empty((0, rows), np.uint64)

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """What it takes."""
        return self._numbers.nbytes + self._words.nbytes

    def add(self, rows: Sequence[Any]) -> None:
        """Add sketches by the numbers of their entries: rows of `id, number, sketch`, in the order of ids.

        Several may read the same rows at once, each from where it saw the end; each row is added once.
        """
        with self._adding:
            new = [row for row in rows if row[0] > self.last]
            if not new:
                return
            ids, numbers, sketches = zip(*new, strict=True)
            words = np.frombuffer(b"".join(sketches), "<u8").reshape(len(new), -1).T
            count = self._count + len(new)
            if count > len(self._numbers) or not len(self._words):
                self._grow(max(count, 2 * self._count, FIRST), len(words))
            self._numbers[self._count : count] = numbers
            self._words[:, self._count : count] = words
            self._count, self.last = count, ids[-1]

    def _grow(self, rows: int, width: int) -> None:
        numbers, words = np.empty(rows, np.int64), np.empty((width, rows), np.uint64)
        numbers[: self._count] = self._numbers[: self._count]
        if len(self._words):
            words[:, : self._count] = self._words[:, : self._count]
        self._numbers, self._words = numbers, words

    def distances(self, query: Bytes) -> Any:
        """In how many signs each differs from the query."""
        count, words = self._count, self._words
        if not count:
            return np.zeros(0, np.uint16)
        wanted = np.frombuffer(sketched(query), "<u8")
        differing = np.zeros(count, np.uint16)
        for row, word in zip(words, wanted, strict=True):
            differing += np.bitwise_count(row[:count] ^ word)
        return differing

    def nearest(self, distances: Any, skip: int, take: int) -> list[int]:
        """The numbers of those that differ least, from the `skip`th to the `take`th behind it."""
        numbers, end = self._numbers[: len(distances)], min(skip + take, len(distances))
        if end >= len(distances):
            chosen = np.arange(len(distances))
        else:
            chosen = np.argpartition(distances, end - 1)[:end]
        order = np.lexsort((-numbers[chosen], distances[chosen]))
        return numbers[chosen[order[skip:end]]].tolist()
