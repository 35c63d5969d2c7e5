"""Archives as others use them: what is put in, and what is found again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from sqlalchemy import Connection, and_

from perdure.archives import store
from perdure.archives.insert import insert
from perdure.archives.store import ArchiveRow
from perdure.db import Database
from perdure.db.search import Mode, Wanted
from perdure.passages.search import Found, search
from perdure.passages.store import NewPassage, PassageFilter, PassageRow, Provenance
from perdure.passages.tables import passages
from perdure.tenancy.actor import Actor


class ArchiveLinks(Protocol):
    """Which archives an agent has: kept above, by a module with these functions."""

    def attached(self, conn: Connection, actor: Actor, agent_id: str) -> Sequence[ArchiveRow]:
        """The agent's archives, the one that it writes to first; raises where there is no such agent."""
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

    async def create(self, actor: Actor, values: Mapping[str, Any]) -> ArchiveRow:
        """Make an archive of columns by name."""
        return await self.db.write(store.create, actor, values)

    async def add(
        self,
        actor: Actor,
        archive_id: str,
        items: Sequence[NewPassage],
        provenance: Provenance | None = None,
        deduplicate: bool | None = None,
    ) -> list[PassageRow]:
        """Store passages, all or none; returns one for each, in order. They can be found at once."""
        return await self.db.write(insert, actor, archive_id, items, provenance, deduplicate)

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
        where = replace(wanted, archive_ids=None).conditions()
        if wanted.archive_ids is None:
            where.append(passages.c.archive_id.is_not(None))
        return await self.db.read(
            search,
            actor,
            Wanted(
                organization_id=actor.organization_id,
                text=query,
                scopes=wanted.archive_ids,
                where=and_(*where) if where else None,
                mode=mode,
                limit=limit,
            ),
        )

    async def _place_of(self, actor: Actor, agent_id: str) -> str:
        if had := await self.db.read(self.links.attached, actor, agent_id):
            return had[0].id
        return (await self.db.write(self.links.open_archive, actor, agent_id, {})).id


async def _of_request(request: Request) -> Archives:
    return request.app.state.archives


CurrentArchives = Annotated[Archives, Depends(_of_request)]
