"""The contract of what makes vectors, and its failures."""

import math
import struct
from collections.abc import Sequence
from typing import Literal, Protocol

from perdure.kit.errors import Unavailable

Purpose = Literal["query", "passage"]
NONE = "none"  # the handle of those who want no vectors: search is by words alone


class EmbeddingUnavailable(Unavailable):
    """No vectors can be had now. `again`: trying later may help; else something is to be changed first."""

    def __init__(self, detail: str, *, again: bool = True):
        super().__init__(detail)
        self.again = again


class Embedder(Protocol):
    """One model that makes vectors. Vectors of different spaces are never compared."""

    @property
    def handle(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    @property
    def space(self) -> str: ...

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """A vector for each text: unit length, little-endian float32. Raises `EmbeddingUnavailable`.

        `query` is somebody waiting: it comes before passages and is not tried for long.
        """
        ...


def space_of(handle: str, dimensions: int) -> str:
    """The name of a space."""
    return f"{handle}@{dimensions}"


def handle_of_space(space: str) -> str:
    """The handle of the model that makes a space's vectors."""
    return space.rpartition("@")[0]


def unit(values: Sequence[float]) -> bytes:
    """A vector as the contract has it; a null vector stays one. Raises ValueError for what is no vector."""
    length = math.sqrt(math.fsum(value * value for value in values))
    if not math.isfinite(length):
        raise ValueError("a number of the vector is not finite")
    return struct.pack(f"<{len(values)}f", *(value / length for value in values) if length else values)
