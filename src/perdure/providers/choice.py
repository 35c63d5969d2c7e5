"""Which model an agent gets when it names none. Pure."""

from collections.abc import Iterable, Mapping

from perdure.providers.listing import is_down
from perdure.providers.store import Listing
from perdure.providers.tables import Origin, ProviderRow

# Beginnings of model names, best first: capable with tools, and not the dearest.
PREFERRED: Mapping[str, tuple[str, ...]] = {
    "openai": ("gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini", "gpt-5", "gpt-4"),
    "anthropic": ("claude-sonnet-4-5", "claude-sonnet", "claude-haiku", "claude"),
    "google_ai": ("gemini-2.5-flash", "gemini-2.5-pro", "gemini"),
    "openrouter": ("openai/gpt-5-mini", "anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini"),
    "groq": ("llama-3.3-70b-versatile", "openai/gpt-oss-120b"),
    "mistral": ("mistral-medium-latest", "mistral-small-latest"),
    "deepseek": ("deepseek-chat",),
    "xai": ("grok-4",),
}
ORIGINS: tuple[Origin, ...] = ("api", "config", "environment", "detected")


def default_model(rows: Iterable[ProviderRow], listings: Mapping[str, Listing]) -> str | None:
    """The handle of the first provider that works, at its best-suited model."""
    for row in sorted(rows, key=lambda row: ORIGINS.index(row.origin)):
        model = _best(row.provider_type, listings.get(row.id, Listing()))
        if model is not None:
            return f"{row.name}/{model}"
    return None


def _best(provider_type: str, listing: Listing) -> str | None:
    preferred = PREFERRED.get(provider_type, ())
    if is_down(listing):
        return None
    if listing.listed_at is None:
        return preferred[0] if preferred else None
    names = [model.name for model in listing.models if model.kind == "llm"]
    for start in preferred:
        exact_first = sorted((name for name in names if name.startswith(start)), key=len)
        if exact_first:
            return exact_first[0]
    return names[0] if names else None
