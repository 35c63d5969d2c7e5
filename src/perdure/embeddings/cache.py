"""Vectors of texts that come again: questions asked twice, passages stored twice."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from perdure.embeddings.base import Embedder, Purpose

Key = tuple[str, bytes]


@dataclass(slots=True)
class Cache:
    """The last vectors, by whose model made them and a hash of the text."""

    most: int
    _kept: OrderedDict[Key, bytes] = field(default_factory=OrderedDict[Key, bytes], init=False)

    def get(self, key: Key) -> bytes | None:
        """What is kept, and longer for having been asked for."""
        vector = self._kept.get(key)
        if vector is not None:
            self._kept.move_to_end(key)
        return vector

    def put(self, key: Key, vector: bytes) -> None:
        """Keep a vector in the place of the one longest unused."""
        if self.most:
            self._kept[key] = vector
            self._kept.move_to_end(key)
            if len(self._kept) > self.most:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class CachedEmbedder:
    """An embedder that makes no vector that is remembered; `owner` parts the providers of tenants."""

    embedder: Embedder
    cache: Cache
    owner: str

    @property
    def handle(self) -> str:
        """What the model is named by."""
        return self.embedder.handle

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return self.embedder.dimensions

    @property
    def space(self) -> str:
        """See `Embedder`."""
        return self.embedder.space

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """See `Embedder`."""
        keys = [self._key(text, purpose) for text in texts]
        known = {key: vector for key in keys if (vector := self.cache.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = await self.embedder.embed(list(missing.values()), purpose)
            for key, vector in zip(missing, made, strict=True):
                known[key] = vector
                self.cache.put(key, vector)
        return [known[key] for key in keys]

    def _key(self, text: str, purpose: Purpose) -> Key:
        content = hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()
        return f"{self.owner} {self.space} {purpose}", content
