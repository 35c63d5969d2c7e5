"""Which model makes the vectors of a folder's passages, and finding passages by them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from perdure.db import Database
from perdure.db.search import Wanted, respace, spaces
from perdure.embeddings.base import EmbeddingUnavailable
from perdure.embeddings.catalog import Embeddings, check_handle
from perdure.embeddings.schemas import EmbeddingConfig
from perdure.files.folders import FolderRow
from perdure.files.schemas import named_config
from perdure.kit.errors import InvalidArgument
from perdure.passages.search import search
from perdure.passages.store import PassageRow
from perdure.passages.tables import PASSAGES
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderEmbedding:
    """Finds it by the folder's handle; null is the server's default. `wake` tells that there is work."""

    db: Database
    models: Models
    embeddings: Embeddings
    wake: Callable[[], None]

    async def config(self, actor: Actor, handle: str | None, *, checked: bool = False) -> EmbeddingConfig:
        """The model as clients see it; where `checked`, an unknown one is refused."""
        if checked and handle:
            await check_handle(self.models, actor, handle)
        return await self.embeddings.config(actor, handle) or named_config("none")

    async def space(self, actor: Actor, handle: str | None) -> str | None:
        """The space of its vectors; null where passages are found by their words only."""
        try:
            embedder = await self.embeddings.resolve(actor, handle)
        except (EmbeddingUnavailable, InvalidArgument) as error:
            log.warning("a folder's passages get no vectors: %s", error.detail)
            return None
        return embedder.space if embedder else None

    async def search(
        self, actor: Actor, folder_ids: Sequence[str], query: str, limit: int
    ) -> list[PassageRow]:
        """The passages of these folders that fit best, best first."""
        known = await self.db.read(spaces, PASSAGES, actor.organization_id, folder_ids)
        vectors = await self.embeddings.query_vectors(actor, query, known)
        wanted = Wanted(actor.organization_id, query, scopes=folder_ids, vectors=vectors, limit=limit)
        return [found.passage for found in await self.db.read(search, actor, wanted)]

    async def renew(self, actor: Actor, folder: FolderRow) -> None:
        """Have the vectors of a folder made anew, by the model that it names now."""
        space = await self.space(actor, folder.embedding)
        await self.db.write(respace, PASSAGES, [folder.id], space)
        self.wake()


async def _of_request(request: Request) -> FolderEmbedding:
    return request.app.state.folder_embedding


CurrentEmbedding = Annotated[FolderEmbedding, Depends(_of_request)]
