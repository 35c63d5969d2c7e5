"""Providers and models on the wire. A key goes in and never comes out."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from perdure.kit.clock import WIRE_TIME
from perdure.providers.endpoint import Endpoint
from perdure.providers.entries import ModelEntry, Source, shown_url
from perdure.providers.prices import Price
from perdure.providers.settings import ProviderName, ProviderType, checked_url
from perdure.providers.store import Listing
from perdure.providers.tables import Category, Origin, ProviderRow

Time = Annotated[datetime, WIRE_TIME]

# Types of the wire's older field `model_endpoint_type` that are spelled otherwise than the provider's type.
ENDPOINT_TYPES = {"lmstudio_openai": "lmstudio-chatcompletions"}
SPEAK_OPENAI = {"cerebras", "demo", "fireworks", "letta", "scripted", "sglang"}
DEFAULT_CHUNK_SIZE = 300


class _Connection(BaseModel):
    """What a caller may say about reaching a provider."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr | None = None
    access_key: SecretStr | None = None
    region: str | None = None
    base_url: str | None = None
    api_version: str | None = None

    _url = field_validator("base_url")(checked_url)

    @field_validator("api_key", "access_key", "region", "api_version")
    @classmethod
    def _not_blank(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return value if text and text.strip() else None


class ProviderCreate(_Connection):
    """A new provider. With `shadow` it may take the name of one that the environment gives."""

    name: ProviderName
    provider_type: ProviderType
    shadow: bool = False


class ProviderUpdate(_Connection):
    """Changes of a provider; what is not named stays, null clears. Name and type are for ever."""


class ProviderCheck(_Connection):
    """A provider to try without storing it."""

    provider_type: ProviderType

    def endpoint(self) -> Endpoint:
        """Where it would be reached."""
        return Endpoint(
            name=self.provider_type,
            type=self.provider_type,
            base_url=self.base_url,
            api_key=plain(self.api_key),
            access_key=plain(self.access_key),
            region=self.region,
            api_version=self.api_version,
        )


class Provider(BaseModel):
    """A provider as callers see it; the key fields of older clients are always null."""

    id: str
    name: str
    provider_type: str
    provider_category: Category
    origin: Origin = Field(
        description="`api` providers are the organization's own; the others are the server's."
    )
    api_key: None = Field(default=None, deprecated=True)
    api_key_enc: None = None
    access_key: None = Field(default=None, deprecated=True)
    access_key_enc: None = None
    base_url: str | None = None
    region: str | None = None
    api_version: str | None = None
    organization_id: str | None = None
    updated_at: Time | None = None
    last_synced: Time | None = Field(None, description="When it last listed its models.")
    last_error: str | None = Field(None, description="Why it did not, the last time it was asked.")
    last_error_at: Time | None = None


class Message(BaseModel):
    """A sentence for the caller."""

    message: str


class _Listed(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    handle: str
    name: str
    display_name: str
    provider_type: str
    provider_name: str


class Model(_Listed):
    """A model, with the fields of the older `LLMConfig`."""

    provider_category: Category
    model_type: Literal["llm"] = "llm"
    model: str
    model_endpoint_type: str
    model_endpoint: str | None = None
    model_wrapper: str | None = None
    context_window: int
    max_context_window: int
    context_window_source: Source = Field(
        description="Who told the context window; `default` means nobody did and it is assumed."
    )
    max_tokens: int | None = None
    put_inner_thoughts_in_kwargs: bool = False
    temperature: float = 0.7
    enable_reasoner: bool = True
    reasoning_effort: str | None = None
    max_reasoning_tokens: int = 0
    effort: str | None = None
    frequency_penalty: float | None = None
    compatibility_type: str | None = None
    verbosity: str | None = None
    tier: str | None = None
    parallel_tool_calls: bool = False
    response_format: dict[str, Any] | None = None
    strict: bool = False
    return_logprobs: bool = False
    top_logprobs: int | None = None
    return_token_ids: bool = False
    tool_call_parser: str | None = None
    price: Price | None = Field(None, description="Dollars for a million tokens, where known.")
    modalities: tuple[str, ...] | None = Field(
        None, description="What it reads, such as `text` and `image`; null where nobody tells."
    )


class EmbeddingModel(_Listed):
    """An embedding model, with the fields of the older `EmbeddingConfig`."""

    model_type: Literal["embedding"] = "embedding"
    embedding_endpoint_type: str
    embedding_endpoint: str | None = None
    embedding_model: str
    embedding_dim: int = Field(description="0 where the provider does not tell.")
    embedding_chunk_size: int = DEFAULT_CHUNK_SIZE
    batch_size: int = 32
    azure_endpoint: str | None = None
    azure_version: str | None = None
    azure_deployment: str | None = None


def plain(secret: SecretStr | None) -> str | None:
    """A secret's text, without the white space that pasting adds."""
    return secret.get_secret_value().strip() if secret else None


def endpoint_type(provider_type: str) -> str:
    """The wire's older name for a provider's type."""
    return "openai" if provider_type in SPEAK_OPENAI else ENDPOINT_TYPES.get(provider_type, provider_type)


def provider_on_wire(row: ProviderRow, listing: Listing) -> Provider:
    """A provider and how it does."""
    return Provider(
        id=row.id,
        name=row.name,
        provider_type=row.provider_type,
        provider_category=row.category,
        origin=row.origin,
        base_url=shown_url(row.base_url),
        region=row.region,
        api_version=row.api_version,
        organization_id=row.organization_id,
        updated_at=row.updated_at,
        last_synced=listing.listed_at,
        last_error=listing.error,
        last_error_at=listing.failed_at,
    )


def model_on_wire(entry: ModelEntry) -> Model:
    """A model of the lists."""
    return Model(
        **_head(entry),
        provider_category=entry.provider_category,
        model=entry.name,
        model_endpoint_type=endpoint_type(entry.provider_type),
        model_endpoint=entry.endpoint_url,
        context_window=entry.context_window,
        max_context_window=entry.context_window,
        context_window_source=entry.window_source,
        max_tokens=entry.max_output_tokens,
        price=entry.price,
        modalities=entry.modalities,
    )


def embedding_on_wire(entry: ModelEntry) -> EmbeddingModel:
    """An embedding model of the lists."""
    return EmbeddingModel(
        **_head(entry),
        embedding_endpoint_type=endpoint_type(entry.provider_type),
        embedding_endpoint=entry.endpoint_url,
        embedding_model=entry.name,
        embedding_dim=entry.dimensions or 0,
    )


def _head(entry: ModelEntry) -> dict[str, Any]:
    return {
        "handle": entry.handle,
        "name": entry.name,
        "display_name": entry.display_name or entry.name,
        "provider_type": entry.provider_type,
        "provider_name": entry.provider_name,
    }
