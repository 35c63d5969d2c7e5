"""Embedding models of providers: asked in batches, again when it may help, left alone while down."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from perdure.embeddings.base import EmbeddingUnavailable, Purpose, space_of, unit
from perdure.embeddings.settings import EmbeddingSettings
from perdure.providers.base import ModelError
from perdure.providers.entries import ResolvedEmbedding
from perdure.providers.retry import pause

TRIES = 3
FIRST_WAIT, MAX_WAIT = 0.5, 10.0
BATCH_TEXTS, BATCH_CHARACTERS = 64, 100_000
MOST_CHARACTERS = 24_000  # of one text: what models read at once, roughly
REST_SECONDS = 10.0  # after a failure questions go by words alone for so long

Ask = Callable[..., Awaitable[list[Sequence[float]]]]


@dataclass(slots=True)
class RemoteEmbedder:
    """One model of one provider."""

    model: ResolvedEmbedding
    dimensions: int
    settings: EmbeddingSettings
    ask: Ask
    _rests_until: float = field(default=0.0, init=False)

    @property
    def handle(self) -> str:
        """What the model is named by."""
        return self.model.handle

    @property
    def space(self) -> str:
        """See `Embedder`."""
        return space_of(self.handle, self.dimensions)

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """See `Embedder`."""
        if purpose == "query" and time.monotonic() < self._rests_until:
            raise EmbeddingUnavailable(f"{self.handle} failed a moment ago and is left alone for a while.")
        vectors: list[bytes] = []
        for batch in batches(texts):
            vectors += [self._checked(vector) for vector in await self._asked(batch, purpose)]
        return vectors

    async def _asked(self, texts: Sequence[str], purpose: Purpose) -> list[Sequence[float]]:
        tries, seconds = 1, self.settings.query_seconds
        if purpose == "passage":
            tries, seconds = TRIES, self.settings.passage_seconds
        for attempt in range(1, tries + 1):
            try:
                return await asked(self.ask, self.model, texts, seconds)
            except ModelError as error:
                wait = pause(error, attempt, FIRST_WAIT)
                if attempt == tries or not error.retryable or wait > MAX_WAIT:
                    self._rests_until = time.monotonic() + REST_SECONDS
                    raise EmbeddingUnavailable(error.detail, again=error.retryable) from error
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _checked(self, vector: Sequence[float]) -> bytes:
        if len(vector) != self.dimensions:
            raise EmbeddingUnavailable(
                f"{self.handle} answered {len(vector)} dimensions; its vectors have {self.dimensions} here. "
                "Is another model served under this name now?",
                again=False,
            )
        try:
            return unit(vector)
        except (ValueError, TypeError) as error:
            raise EmbeddingUnavailable(f"{self.handle} answered no vector: {error}.", again=False) from error


async def asked(
    ask: Ask, model: ResolvedEmbedding, texts: Sequence[str], seconds: float
) -> list[Sequence[float]]:
    """Ask once; raises `ModelError`, and at the latest after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await ask(
                model.endpoint, model.model, [text[:MOST_CHARACTERS] or " " for text in texts], seconds
            )
    except TimeoutError as error:
        raise TooSlow(
            f"Provider '{model.provider_name}' made no vectors within {seconds:g} seconds.",
            provider=model.provider_name,
        ) from error


class TooSlow(ModelError):
    """It did not answer in time."""

    retryable = True


def batches(texts: Sequence[str]) -> list[Sequence[str]]:
    """Texts in their order, in requests of a bounded size."""
    found: list[Sequence[str]] = []
    start, characters = 0, 0
    for at, text in enumerate(texts):
        length = min(len(text), MOST_CHARACTERS)
        if at > start and (at - start == BATCH_TEXTS or characters + length > BATCH_CHARACTERS):
            found.append(texts[start:at])
            start, characters = at, 0
        characters += length
    if start < len(texts):
        found.append(texts[start:])
    return found
