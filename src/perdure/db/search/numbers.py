"""Arithmetic on vectors with NumPy, which takes long to import: loaded when vectors are used."""

from collections.abc import Sequence

import numpy as np


def halved(vector: bytes | memoryview) -> bytes:
    """A vector of float32 as it is stored, in float16."""
    return np.frombuffer(vector, "<f4").astype("<f2").tobytes()


def similarities(query: bytes | memoryview, stored: Sequence[bytes]) -> list[float]:
    """The cosines of stored vectors with the query's."""
    if not stored:
        return []
    wanted = np.frombuffer(query, "<f4")
    matrix = np.frombuffer(b"".join(stored), "<f2").reshape(len(stored), -1).astype("<f4")
    return (matrix @ wanted).tolist()
