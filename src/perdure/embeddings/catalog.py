"""The embedding models an organization can use: handles resolved, questions embedded for searches."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from perdure.embeddings.base import NONE, Embedder, EmbeddingUnavailable, handle_of_space
from perdure.embeddings.cache import Cache, CachedEmbedder
from perdure.embeddings.offline.model import OfflineEmbedder, is_installed, offline_embedder
from perdure.embeddings.remote import Ask, RemoteEmbedder, asked
from perdure.embeddings.schemas import EmbeddingConfig
from perdure.embeddings.settings import OFFLINE, EmbeddingSettings
from perdure.kit.errors import InvalidArgument
from perdure.providers import vendors
from perdure.providers.base import ModelError
from perdure.providers.catalog import Models
from perdure.providers.entries import ResolvedEmbedding
from perdure.providers.schemas import endpoint_type
from perdure.tenancy.actor import Actor

log = logging.getLogger(__name__)

# The free model of Letta's own servers, which agents from there name.
ALIASES = {"letta/letta-free": OFFLINE}
MOST_KEPT = 1000
DIMENSIONS = {  # of well-known models, so that nothing is asked to learn them
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "nomic-embed-text": 768,
    "mxbai-embed-large": 1024,
    "bge-m3": 1024,
    "text-embedding-004": 768,
    "gemini-embedding-001": 3072,
    "mistral-embed": 1024,
}


class Embeddings:
    """All embedding models of all organizations. Long-lived; `close` it at the end."""

    def __init__(
        self, models: Models, settings: EmbeddingSettings | None = None, *, ask: Ask = vendors.embed
    ):
        self.settings = settings or EmbeddingSettings()
        self._models = models
        self._ask = ask
        self._cache = Cache(self.settings.cache)
        self._offline: OfflineEmbedder = offline_embedder(self.settings)
        self._inside = CachedEmbedder(self._offline, self._cache, "") if is_installed() else None
        self._remote: dict[tuple[str, str], tuple[ResolvedEmbedding, CachedEmbedder]] = {}
        if self._inside is None and self.settings.default == OFFLINE:
            log.warning("The offline embedding model is not installed: memory is searched by words alone")

    async def close(self) -> None:
        """End the process of the model inside."""
        await self._offline.process.close()

    async def resolve(self, actor: Actor, handle: str | None) -> Embedder | None:
        """The embedder of a handle; null: the default of the settings.

        None is for those searched by words alone: with the handle `none`, and by default where the model
        inside is not installed. Raises `UnknownEmbedding` (400), and `EmbeddingUnavailable` for a provider's
        model whose dimensions nobody knows while that provider is down.
        """
        wanted = handle or self.settings.default
        if wanted == NONE:
            return None
        target = await self._target(actor, wanted)
        if target == OFFLINE:
            if self._inside is None and handle is not None:
                raise InvalidArgument(
                    "embedding: the offline model is not installed here; name another one, or `none` to be "
                    "searched by words alone."
                )
            return self._inside
        return await self._of_provider(actor, target)

    async def query_vectors(self, actor: Actor, text: str, spaces: Iterable[str]) -> Mapping[str, bytes]:
        """A question's vector in each of these spaces, without those that cannot be had now."""
        wanted = list(spaces)
        if not wanted or not any(map(str.isalnum, text)):
            return {}
        vectors = await asyncio.gather(*(self._query(actor, text, space) for space in wanted))
        return {space: vector for space, vector in zip(wanted, vectors, strict=True) if vector is not None}

    async def config(self, actor: Actor, handle: str | None) -> EmbeddingConfig | None:
        """What is known of a handle's model (null: the default), as clients see it; null for `none`.

        Never fails and never waits for a provider: dimensions that nobody knows are 0.
        """
        wanted = handle or self.settings.default
        if wanted == NONE:
            return None
        target = await self._target(actor, wanted)
        listed = (entry for entry in await self._models.entries(actor) if entry.kind == "embedding")
        entry = next((entry for entry in listed if entry.handle == target), None)
        if entry is not None:
            dimensions = entry.dimensions or _known(entry.name) or 0
            type, name, url = endpoint_type(entry.provider_type), entry.name, entry.endpoint_url
        else:
            type, _, name = target.partition("/")
            dimensions, url = _known(name) or 0, None
        return EmbeddingConfig(
            embedding_endpoint_type=type,
            embedding_model=name,
            embedding_dim=dimensions,
            handle=wanted,
            embedding_endpoint=url,
        )

    async def in_space(self, actor: Actor, space: str) -> Embedder:
        """The embedder that makes the vectors of a space; raises `EmbeddingUnavailable`."""
        try:
            found = await self.resolve(actor, handle_of_space(space))
        except InvalidArgument as error:
            raise EmbeddingUnavailable(error.detail, again=False) from error
        if found is None or found.space != space:
            raise EmbeddingUnavailable(f"No model makes vectors of {space} any more.", again=False)
        return found

    async def _query(self, actor: Actor, text: str, space: str) -> bytes | None:
        try:
            embedder = await self.in_space(actor, space)
            return (await embedder.embed([text], "query"))[0]
        except EmbeddingUnavailable as error:
            log.info("A search goes without %s: %s", space, error.detail)
            return None

    async def _target(self, actor: Actor, handle: str) -> str:
        return await target_of(self._models, actor, handle)

    async def _of_provider(self, actor: Actor, handle: str) -> CachedEmbedder:
        model = await self._models.resolve_embedding(actor, handle)
        key = (actor.organization_id, handle)
        kept = self._remote.get(key)
        if kept is None or kept[0].endpoint != model.endpoint or kept[0].model != model.model:
            dimensions = model.dimensions or _known(model.model) or await self._probed(model)
            remote = RemoteEmbedder(model, dimensions, self.settings, self._ask)
            if len(self._remote) >= MOST_KEPT:
                self._remote.clear()
            kept = self._remote[key] = (model, CachedEmbedder(remote, self._cache, _owner(actor, model)))
        return kept[1]

    async def _probed(self, model: ResolvedEmbedding) -> int:
        """How many dimensions a model has, by its vector of a word."""
        try:
            return len((await asked(self._ask, model, ["dimensions"], self.settings.query_seconds))[0])
        except ModelError as error:
            raise EmbeddingUnavailable(error.detail, again=error.retryable) from error


async def target_of(models: Models, actor: Actor, handle: str) -> str:
    """The handle that is meant: the model inside stands for Letta's free one, unless that is a provider."""
    if handle in ALIASES and handle.partition("/")[0] not in {
        row.name for row in await models.providers(actor)
    }:
        return ALIASES[handle]
    return handle


async def check_handle(models: Models, actor: Actor, handle: str) -> None:
    """Refuse an embedding model that nobody has; raises `UnknownEmbedding`."""
    target = await target_of(models, actor, handle)
    if target != NONE and target not in {entry.handle for entry in models.inside}:
        await models.resolve_embedding(actor, target)


def _known(model: str) -> int | None:
    return DIMENSIONS.get(model.rpartition("/")[2].partition(":")[0])


def _owner(actor: Actor, model: ResolvedEmbedding) -> str:
    return f"{actor.organization_id} {model.endpoint.base_url}"
