"""`embedding_config`: the wire's older object that says which embedding model, and all about it."""

from pydantic import BaseModel, ConfigDict

CHUNK_SIZE = 300


class EmbeddingConfig(BaseModel):
    """Its handle is what counts."""

    model_config = ConfigDict(extra="allow", defer_build=True, protected_namespaces=())

    embedding_endpoint_type: str
    embedding_model: str
    embedding_dim: int
    handle: str | None = None
    embedding_endpoint: str | None = None
    embedding_chunk_size: int | None = CHUNK_SIZE
    batch_size: int | None = 32
    azure_endpoint: str | None = None
    azure_version: str | None = None
    azure_deployment: str | None = None


def handle_of(config: EmbeddingConfig | None) -> str | None:
    """The handle that a config means."""
    if config is None:
        return None
    return config.handle or f"{config.embedding_endpoint_type}/{config.embedding_model}"
