"""What the catalog hands out: models as lists show them, and models ready to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from perdure.providers import prices
from perdure.providers.base import ModelClient
from perdure.providers.endpoint import Endpoint, ListedModel
from perdure.providers.modalities import of_family
from perdure.providers.prices import Price
from perdure.providers.settings import CatalogSettings, ModelOverride
from perdure.providers.tables import Category, ProviderRow

DEMO = "demo/offline"
STATIC_WINDOW = 1_000_000  # the demo and scripted models read everything

Source = Literal["setting", "provider", "data", "default"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model as the lists show it. `window_source` is `default` when nobody tells the context window;
    `modalities` are what it reads, null when nobody tells.
    """

    handle: str
    name: str
    kind: Literal["llm", "embedding"]
    provider_name: str
    provider_type: str
    provider_category: Category
    endpoint_url: str | None
    context_window: int
    window_source: Source
    max_output_tokens: int | None = None
    dimensions: int | None = None
    price: Price | None = None
    modalities: tuple[str, ...] | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model ready to be asked; `model` is the vendor's own name for it."""

    handle: str
    provider_name: str
    provider_type: str
    provider_category: Category
    model: str
    endpoint_url: str | None
    context_window: int
    max_output_tokens: int | None
    client: ModelClient


@dataclass(frozen=True, slots=True)
class ResolvedEmbedding:
    """An embedding model and where it is. Null dimensions: nobody tells."""

    handle: str
    provider_name: str
    provider_type: str
    provider_category: Category
    model: str
    endpoint: Endpoint
    dimensions: int | None


def entry_of(row: ProviderRow, model: ListedModel, settings: CatalogSettings) -> ModelEntry:
    """All that is known of a model: from the settings, else its provider, else the data."""
    handle = f"{row.name}/{model.name}"
    override = settings.overrides.get(handle, ModelOverride())
    facts = prices.facts(row.provider_type, row.base_url, model.name)
    windows: Mapping[Source, int | None] = {
        "setting": override.context_window,
        "provider": model.context_window,
        "data": facts.context_window,
        "default": settings.default_context_window,
    }
    source: Source = next(name for name, tokens in windows.items() if tokens)
    return ModelEntry(
        handle=handle,
        name=model.name,
        kind=model.kind,
        provider_name=row.name,
        provider_type=row.provider_type,
        provider_category=row.category,
        endpoint_url=shown_url(row.base_url),
        context_window=windows[source] or 0,
        window_source=source,
        max_output_tokens=override.max_output_tokens or model.max_output_tokens,
        dimensions=model.dimensions,
        price=_price(override, facts.price),
        modalities=override.modalities or model.input_modalities or of_family(row.provider_type, model.name),
    )


def _price(override: ModelOverride, known: Price | None) -> Price | None:
    known = known or Price()
    pairs = (
        (override.input_price, known.input),
        (override.output_price, known.output),
        (override.cached_price, known.cached),
    )
    price = Price(*(mine if mine is not None else theirs for mine, theirs in pairs))
    return None if price == Price() else price


def shown_url(url: str | None) -> str | None:
    """A provider's address without the name and password it may hold."""
    if url is None or "@" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def demo_entry() -> ModelEntry:
    """The offline demo in the lists, named as what it is."""
    name, _, model = DEMO.partition("/")
    return ModelEntry(
        handle=DEMO,
        name=model,
        kind="llm",
        provider_name=name,
        provider_type="demo",
        provider_category="base",
        endpoint_url=None,
        context_window=STATIC_WINDOW,
        window_source="provider",
        display_name="Offline demo (not a language model)",
    )


def static_model(handle: str, name: str, model: str, client: ModelClient) -> ResolvedModel:
    """A model of the server's own, which has no provider behind it."""
    return ResolvedModel(handle, name, name, "base", model, None, STATIC_WINDOW, None, client)
