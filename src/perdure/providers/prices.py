"""What is known about models from data: context windows and prices, from the package `genai-prices`.

Importing it costs 0.3 s, so it happens on demand or in `load`, which runs in a thread at start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from perdure.kit.clock import now
from perdure.providers.handles import is_official_openai

# Our provider types and the vendors of the price list. Null: the model's name alone must tell.
VENDORS: Mapping[str, str | None] = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "aws",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google_ai": "google",
    "google_vertex": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
    "xai": "x-ai",
}


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens. Null where nobody tells."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the data tells of one model."""

    context_window: int | None = None
    price: Price | None = None


NOTHING = Facts()


def load() -> None:
    """Read the data now, so that the first question need not wait."""
    _snapshot()


def is_loaded() -> bool:
    """Whether the data is read, so that questions cost nothing."""
    return _snapshot.cache_info().currsize > 0


@lru_cache(maxsize=1)
def _snapshot() -> Any:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 0.3 s of import

    return get_snapshot()


@lru_cache(maxsize=4096)
def facts(provider_type: str, base_url: str | None, model: str) -> Facts:
    """Facts about a model of this vendor; of an unknown server's model only its context window."""
    if provider_type not in VENDORS:
        return NOTHING
    compatible = provider_type == "openai" and not is_official_openai(base_url)
    vendor = None if compatible else VENDORS[provider_type]
    found = _find(vendor, model)
    if found is None:
        return NOTHING
    return Facts(found.context_window, None if compatible else _price(found, now()))


def _find(vendor: str | None, model: str) -> Any:
    try:
        return _snapshot().find_provider_model(model, None, vendor, None)[1]
    except LookupError:
        return None


def _price(model: Any, at: datetime) -> Price | None:
    if not model.prices:
        return None
    prices = model.get_prices(at)
    parts = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok)
    return Price(*map(_number, parts)) if any(parts) else None


def _number(value: Any) -> float | None:
    """The price below the first tier, where there are tiers."""
    base = getattr(value, "base", value)
    return float(base) if isinstance(base, Decimal | int | float) else None
