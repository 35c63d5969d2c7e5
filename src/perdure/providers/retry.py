"""Tries a model call again when the failure may pass, but never after the first event."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from perdure.providers.base import Exchange, ModelClient, ModelError, ModelEvent, ModelRequest
from perdure.providers.preview import body_of

TRIES = 3
FIRST_WAIT = 0.5
MAX_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Retrying:
    """A client that tries again; see `with_retries`."""

    client: ModelClient
    tries: int
    first_wait: float
    max_wait: float

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent]:
        """Ask, and ask again; see `ModelClient`. `exchange` keeps the last try."""
        for attempt in range(1, self.tries + 1):
            begun = False
            if exchange:
                exchange.status = None
                exchange.response.clear()
            try:
                async with aclosing(self.client.stream(request, exchange)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except ModelError as error:
                wait = pause(error, attempt, self.first_wait)
                if begun or not error.retryable or attempt == self.tries or wait > self.max_wait:
                    raise
            await asyncio.sleep(wait)

    def body(self, request: ModelRequest) -> Mapping[str, Any]:
        """What the client would send; see `Previewable`."""
        return body_of(self.client, request)


def with_retries(
    client: ModelClient,
    *,
    tries: int = TRIES,
    first_wait: float = FIRST_WAIT,
    max_wait: float = MAX_WAIT,
) -> ModelClient:
    """The client with up to `tries` attempts, waiting between them with jitter, growing, as told.

    A provider that asks for a longer wait than `max_wait` fails at once with its words: the caller
    can do better with the news than with a silent half hour.
    """
    return Retrying(client, tries, first_wait, max_wait)


def pause(error: ModelError, attempt: int, first_wait: float) -> float:
    """Seconds before the next try: what the provider asks, else doubling; never all at one moment."""
    if error.retry_after is not None:
        return error.retry_after + random.uniform(0, first_wait / 4)
    return first_wait * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
