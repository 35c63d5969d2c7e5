"""Which search engine counts: an agent's own keys before the server's. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from perdure.web.engines import Brave, Exa, SearXNG, Tavily
from perdure.web.search import Engine
from perdure.web.settings import EngineName, SearchSettings

VARIABLES: Mapping[EngineName, tuple[str, ...]] = {
    "exa": ("EXA_API_KEY",),
    "tavily": ("TAVILY_API_KEY",),
    "brave": ("BRAVE_API_KEY", "BRAVE_SEARCH_API_KEY"),
    "searxng": ("SEARXNG_URL",),
}
WITH_KEY: Mapping[str, Callable[..., Engine]] = {"exa": Exa, "tavily": Tavily, "brave": Brave}
NONE = (
    "No search engine is set up. Add one of these to the agent's secrets or to the server's environment: "
    "EXA_API_KEY, TAVILY_API_KEY, BRAVE_API_KEY, or SEARXNG_URL (the address of a SearXNG)."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and whether its address was set by whoever runs the server."""

    engine: Engine
    trusted: bool = False


def choose(
    settings: SearchSettings, environment: Mapping[str, str], secrets: Mapping[str, str]
) -> Choice | None:
    """The engine of an agent with these secrets; None where there is no key for any."""
    if mine := _first(secrets):
        return Choice(mine)
    if settings.engine is None:
        found = _first(environment)
        return Choice(found, trusted=True) if found else None
    value = settings.api_key.get_secret_value() if settings.api_key else None
    url = settings.url.rstrip("/") if settings.url else None
    if settings.engine == "searxng":
        address = url or _value(environment, "searxng")
        return Choice(_engine("searxng", address), trusted=True) if address else None
    key = value or _value(environment, settings.engine)
    return Choice(_engine(settings.engine, key, url), trusted=True) if key else None


def _first(values: Mapping[str, str]) -> Engine | None:
    for name in VARIABLES:
        if value := _value(values, name):
            return _engine(name, value)
    return None


def _value(values: Mapping[str, str], name: EngineName) -> str | None:
    return next((found for each in VARIABLES[name] if (found := values.get(each, "").strip())), None)


def _engine(name: str, value: str, url: str | None = None) -> Engine:
    if name == "searxng":
        return SearXNG(value.rstrip("/"))
    return WITH_KEY[name](value, url) if url else WITH_KEY[name](value)
