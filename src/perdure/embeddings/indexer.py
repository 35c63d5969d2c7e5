"""Embeds what waits for vectors, in the background: whatever was stored while a model was down, too."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

from sqlalchemy import Connection, select

from perdure.db import Database
from perdure.db.search import Corpus, Pending, pending, store_vectors
from perdure.embeddings.base import EmbeddingUnavailable
from perdure.embeddings.catalog import Embeddings
from perdure.tenancy.actor import Actor

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0  # how often it looks for what other processes have stored
BATCH = 64
FIRST_REST, LONGEST_REST = 1.0, 300.0
REFUSED_SECONDS = 3600.0  # a text that a model does not take
Place = tuple[str, str]  # an organization and a space
Key = TypeVar("Key")


@dataclass(slots=True)
class Resting(Generic[Key]):
    """What did not work: until when each is left alone, and for how long that was."""

    until: dict[Key, tuple[float, float]] = field(default_factory=dict[Key, tuple[float, float]])

    def now(self) -> set[Key]:
        """What is left alone now."""
        return {key for key, (when, _) in self.until.items() if when > time.monotonic()}

    def failed(self, key: Key, longest: float, first: float = FIRST_REST) -> None:
        """Leave it alone, each time twice as long."""
        _, before = self.until.get(key, (0.0, first / 2))
        seconds = min(before * 2, longest)
        self.until[key] = (time.monotonic() + seconds, seconds)

    def worked(self, key: Key) -> None:
        """Forget that it failed."""
        self.until.pop(key, None)


class Indexer:
    """The one task that embeds. `start` it once, `close` it at the end; `wake` it after storing."""

    def __init__(self, db: Database, embeddings: Embeddings, corpora: Sequence[Corpus]):
        self.corpora = corpora
        self._db = db
        self._embeddings = embeddings
        self._resting = Resting[Place]()
        self._refused = Resting[tuple[str, int]]()
        self._woken = asyncio.Event()
        self._progress = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to embed in the background."""
        self._task = asyncio.create_task(self._run(), name="indexer")

    async def close(self) -> None:
        """Stop; what waits, waits for the next start."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Say that something was stored."""
        self._woken.set()

    async def settle(self, corpus: Corpus, ids: Collection[str], seconds: float) -> None:
        """Wait until these entries are embedded, at the most so long, and not for a model that is down."""
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    self._progress.clear()
                    waiting = await self._db.read(_waiting, corpus, ids)
                    if waiting <= self._resting.now():
                        return
                    await self._progress.wait()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                found = await self._round()
            except Exception:
                log.warning("Vectors could not be made; trying again", exc_info=True)
                found = False
            if not found:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._woken.wait()

    async def _round(self) -> bool:
        """A batch of each corpus; whether there was anything that could be embedded."""
        found = False
        for corpus in self.corpora:
            found = await self._batch(corpus) or found
        return found

    async def _batch(self, corpus: Corpus) -> bool:
        refused = {number for items, number in self._refused.now() if items == corpus.items.name}
        resting = self._resting.now()
        rows = await self._db.read(pending, corpus, BATCH + len(refused), without=resting)
        rows = [row for row in rows if row.number not in refused]
        for place, group in groupby(sorted(rows, key=_place), key=_place):
            await self._embed(corpus, place, list(group))
        return bool(rows)

    async def _embed(self, corpus: Corpus, place: Place, rows: Sequence[Pending]) -> None:
        try:
            await self._made(corpus, place, rows)
        except EmbeddingUnavailable as error:
            if error.again:
                self._rest(place, error)
            else:
                await self._one_by_one(corpus, place, rows)

    async def _made(self, corpus: Corpus, place: Place, rows: Sequence[Pending]) -> None:
        organization_id, space = place
        embedder = await self._embeddings.in_space(Actor(organization_id), space)
        made = await embedder.embed([row.text for row in rows], "passage")
        vectors = {row.number: vector for row, vector in zip(rows, made, strict=True)}
        await self._db.write(store_vectors, corpus, space, vectors)
        self._resting.worked(place)
        self._progress.set()

    async def _one_by_one(self, corpus: Corpus, place: Place, rows: Sequence[Pending]) -> None:
        """Find the texts that the model refuses; where it refuses two running, it is no matter of texts."""
        running = 0
        for row in rows:
            try:
                await self._made(corpus, place, [row])
                running = 0
            except EmbeddingUnavailable as error:
                running += 1
                if not error.again:
                    self._refused.failed((corpus.items.name, row.number), REFUSED_SECONDS, REFUSED_SECONDS)
                if error.again or running == 2 or len(rows) == 1:
                    self._rest(place, error)
                    return

    def _rest(self, place: Place, error: EmbeddingUnavailable) -> None:
        log.warning("No vectors of %s now, searches there go by words: %s", place[1], error.detail)
        self._resting.failed(place, LONGEST_REST)
        self._progress.set()


def _place(row: Pending) -> Place:
    return row.organization_id, row.space


def _waiting(conn: Connection, corpus: Corpus, ids: Collection[str]) -> set[Place]:
    entries = corpus.entries.c
    query = select(entries.organization_id, entries.space).where(
        entries.id.in_(ids),
        entries.space.is_not(None),
        entries.embedded.is_(None) | (entries.embedded != entries.space),
    )
    return {(row.organization_id, row.space) for row in conn.execute(query)}
