"""Archives as others use them: what is put in, and what is found again."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from sqlalchemy import Connection, and_

from perdure.archives import store
from perdure.archives.insert import insert
from perdure.archives.store import ArchiveRow
from perdure.db import Database
from perdure.db.search import Mode, Wanted, respace, spaces
from perdure.embeddings.base import EmbeddingUnavailable
from perdure.embeddings.catalog import Embeddings
from perdure.embeddings.indexer import Indexer
from perdure.kit.errors import InvalidArgument
from perdure.passages.search import Found, search
from perdure.passages.store import NewPassage, PassageFilter, PassageRow, Provenance
from perdure.passages.tables import PASSAGES, passages
from perdure.tenancy.actor import Actor

log = logging.getLogger(__name__)

FEW = 16  # passages whose vectors are waited for, so that they are found by their meaning at once
SETTLE_SECONDS = 1.0
NO_VECTORS = (
    "search_mode: there are no vectors to search by; the archives have no embedding model, or it does not "
    "answer. Use `hybrid` or `fts`."
)


class ArchiveLinks(Protocol):
    """Which archives an agent has: kept above, by a module with these functions."""

    def attached(self, conn: Connection, actor: Actor, agent_id: str) -> Sequence[ArchiveRow]:
        """The agent's archives, the one that it writes to first; raises where there is no such agent."""
        ...

    def embedding_of(self, conn: Connection, actor: Actor, agent_id: str) -> str | None:
        """The embedding model that the agent names, if any."""
        ...

    def open_archive(
        self, conn: Connection, actor: Actor, agent_id: str, values: Mapping[str, Any]
    ) -> ArchiveRow:
        """The archive that it writes to: its first, else a new one with these columns."""
        ...


@dataclass(frozen=True, slots=True)
class Archives:
    """Archives of everybody; who calls is told with each call."""

    db: Database
    links: ArchiveLinks
    embeddings: Embeddings
    indexer: Indexer

    async def create(self, actor: Actor, values: Mapping[str, Any], embedding: str | None) -> ArchiveRow:
        """Make an archive of columns by name and of a model's handle (null: the default)."""
        return await self.db.write(store.create, actor, {**values, **await self._model(actor, embedding)})

    async def change(
        self, actor: Actor, archive_id: str, values: Mapping[str, Any], embedding: tuple[str | None] | None
    ) -> ArchiveRow:
        """Change columns by name, and the model if one is given; it may be null, the default.

        The vectors of the model before serve until there are new ones, which are made in the background.
        """
        if embedding:
            values = {**values, **await self._model(actor, *embedding)}
        archive = await self.db.write(_change, actor, archive_id, values)
        self.indexer.wake()
        return archive

    async def add(
        self,
        actor: Actor,
        archive_id: str,
        items: Sequence[NewPassage],
        provenance: Provenance | None = None,
        deduplicate: bool | None = None,
    ) -> list[PassageRow]:
        """The same as `put`; of few passages the vectors are waited for, for a moment."""
        rows = await self.put(actor, archive_id, items, provenance, deduplicate)
        await self.settle([row.id for row in rows])
        return rows

    async def put(
        self,
        actor: Actor,
        archive_id: str,
        items: Sequence[NewPassage],
        provenance: Provenance | None = None,
        deduplicate: bool | None = None,
    ) -> list[PassageRow]:
        """Store passages, all or none; returns one for each, in order.

        They are found by their words at once, and by their meaning when their vectors have been made.
        """
        await self._complete(actor, await self.db.read(store.get, actor, archive_id))
        rows = await self.db.write(insert, actor, archive_id, items, provenance, deduplicate)
        self.indexer.wake()
        return rows

    async def settle(self, ids: Sequence[str]) -> None:
        """Wait for the vectors of few passages, for a moment."""
        if 0 < len(ids) <= FEW:
            await self.indexer.settle(PASSAGES, ids, SETTLE_SECONDS)

    async def remember(
        self, actor: Actor, agent_id: str, items: Sequence[NewPassage], provenance: Provenance | None = None
    ) -> list[PassageRow]:
        """Store passages where the agent writes, making its archive if it has none."""
        archive_id = await self._place_of(actor, agent_id)
        return await self.add(actor, archive_id, items, provenance)

    async def recall(
        self, actor: Actor, agent_id: str, query: str, wanted: PassageFilter, limit: int
    ) -> Sequence[Found]:
        """What an agent remembers that fits, best first; nothing for an empty query."""
        had = await self.db.read(self.links.attached, actor, agent_id)
        if not query.strip() or not had:
            return ()
        wanted = replace(wanted, archive_ids=[archive.id for archive in had])
        return await self.search(actor, query, wanted, limit)

    async def search(
        self, actor: Actor, query: str, wanted: PassageFilter, limit: int, mode: Mode = "hybrid"
    ) -> Sequence[Found]:
        """The passages of archives that fit, best first; null `archive_ids`: of all archives."""
        vectors: Mapping[str, bytes] = {}
        if mode != "fts":
            vectors = await self._vectors(actor, query, wanted.archive_ids)
        if mode == "vector" and not vectors:
            raise InvalidArgument(NO_VECTORS)
        where = replace(wanted, archive_ids=None).conditions()
        if wanted.archive_ids is None:
            where.append(passages.c.archive_id.is_not(None))
        asked = Wanted(
            organization_id=actor.organization_id,
            text=query,
            scopes=wanted.archive_ids,
            where=and_(*where) if where else None,
            vectors=vectors,
            mode=mode,
            limit=limit,
        )
        return await self.db.read(search, actor, asked)

    async def _vectors(
        self, actor: Actor, query: str, archive_ids: Sequence[str] | None
    ) -> Mapping[str, bytes]:
        there = await self.db.read(spaces, PASSAGES, actor.organization_id, archive_ids)
        return await self.embeddings.query_vectors(actor, query, there)

    async def _place_of(self, actor: Actor, agent_id: str) -> str:
        if had := await self.db.read(self.links.attached, actor, agent_id):
            return had[0].id
        handle = await self.db.read(self.links.embedding_of, actor, agent_id)
        try:
            model = await self._model(actor, handle)
        except InvalidArgument as error:
            log.warning("Agent %s remembers by words alone: %s", agent_id, error.detail)
            model = {"embedding": handle, "space": None}
        return (await self.db.write(self.links.open_archive, actor, agent_id, model)).id

    async def _complete(self, actor: Actor, archive: ArchiveRow) -> None:
        """Find the space of an archive whose model did not answer when it was named."""
        if archive.embedding is None or archive.space is not None:
            return
        try:
            model = await self._model(actor, archive.embedding)
        except InvalidArgument:
            return
        if model["space"]:
            await self.db.write(_change, actor, archive.id, model)

    async def _model(self, actor: Actor, handle: str | None) -> dict[str, Any]:
        """The columns of a model; of one whose provider does not answer the space is not known yet."""
        try:
            embedder = await self.embeddings.resolve(actor, handle)
        except EmbeddingUnavailable as error:
            named = handle or self.embeddings.settings.default
            log.warning("The vectors of %s are not known yet: %s", named, error.detail)
            return {"embedding": named, "space": None}
        if embedder is None:
            return {"embedding": None, "space": None}
        return {"embedding": embedder.handle, "space": embedder.space}


def _change(conn: Connection, actor: Actor, archive_id: str, values: Mapping[str, Any]) -> ArchiveRow:
    before = store.get(conn, actor, archive_id, hold="alone")
    after = store.change(conn, actor, archive_id, values)
    if after.space != before.space and (after.space or after.embedding is None):
        respace(conn, PASSAGES, [archive_id], after.space)
    return after


async def _of_request(request: Request) -> Archives:
    return request.app.state.archives


CurrentArchives = Annotated[Archives, Depends(_of_request)]
