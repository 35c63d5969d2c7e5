"""Arithmetic on vectors with NumPy, which takes long to import: loaded when vectors are used."""

import hashlib
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = bytes | memoryview
Numbers = NDArray[np.int64]

LEAST = 64  # bits of a sketch: they are compared so many at once
ROUNDS = 2
FIRST = 1024


def halved(vector: Bytes) -> bytes:
    """A vector of float32 as it is stored, in float16."""
    return np.frombuffer(vector, "<f4").astype("<f2").tobytes()


def sketched(vector: Bytes) -> bytes:
    """A bit for each of a vector's numbers, after mixing them: near vectors differ in few bits.

    Models put more into some numbers than into others, but a bit says the same of each. Mixed, all numbers
    tell of the whole. Sketches are stored, so this must not change.
    """
    numbers = np.frombuffer(vector, "<f4")
    size = max(LEAST, 1 << (len(numbers) - 1).bit_length())
    mixed = np.zeros(size, np.float32)
    mixed[: len(numbers)] = numbers
    for flips in _flips(size):
        mixed *= flips
        for _ in range(size.bit_length() - 1):  # a Hadamard transform
            even, odd = mixed[0::2], mixed[1::2]
            mixed = np.concatenate((even + odd, even - odd))
    return np.packbits(mixed > 0).tobytes()


@cache
def _flips(size: int) -> NDArray[np.float32]:
    """For each round of mixing a sign for each number, always the same."""
    drawn = hashlib.shake_256(b"sketch").digest(ROUNDS * size // 8)
    return (1 - 2 * np.unpackbits(np.frombuffer(drawn, np.uint8)).astype(np.float32)).reshape(ROUNDS, size)


def similarities(query: Bytes, stored: Sequence[bytes]) -> list[float]:
    """The cosines of stored vectors with the query's."""
    if not stored:
        return []
    wanted = np.frombuffer(query, "<f4")
    matrix = np.frombuffer(b"".join(stored), "<f2").reshape(len(stored), -1).astype("<f4")
    return (matrix @ wanted).tolist()


class Sketches:
    """The sketches of many vectors, in memory: 72 bytes for a vector of 384 numbers.

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
        """In how many bits each differs from the query."""
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
