"""Providers that the environment or the configuration file names. They have no rows and keep their keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import stable_id
from perdure.providers.settings import ProviderSettings, checked_url
from perdure.providers.tables import Origin, ProviderRow


@dataclass(frozen=True, slots=True)
class Known:
    """A vendor and the variables that reveal it. `keyless`: an address alone is enough."""

    name: str
    variables: tuple[str, ...]
    keyless: bool = False


KNOWN = (
    Known("openai", ("OPENAI",), keyless=True),
    Known("anthropic", ("ANTHROPIC",)),
    Known("google_ai", ("GEMINI", "GOOGLE")),
    Known("groq", ("GROQ",)),
    Known("mistral", ("MISTRAL",)),
    Known("together", ("TOGETHER",)),
    Known("deepseek", ("DEEPSEEK",)),
    Known("xai", ("XAI",)),
    Known("openrouter", ("OPENROUTER",)),
    Known("cerebras", ("CEREBRAS",)),
    Known("fireworks", ("FIREWORKS",)),
    Known("baseten", ("BASETEN",)),
    Known("minimax", ("MINIMAX",)),
    Known("moonshot", ("MOONSHOT",)),
    Known("zai", ("ZAI",)),
    Known("hugging-face", ("HUGGINGFACE", "HF")),
    Known("azure", ("AZURE", "AZURE_OPENAI")),
    Known("ollama", ("OLLAMA",), keyless=True),
    Known("vllm", ("VLLM",), keyless=True),
    Known("sglang", ("SGLANG",), keyless=True),
    Known("lmstudio_openai", ("LMSTUDIO",), keyless=True),
)
KEY_NAMES = ("API_KEY", "TOKEN")
URL_NAMES = ("BASE_URL", "API_BASE", "ENDPOINT")


def base_provider(origin: Origin, name: str, provider_type: str, **values: Any) -> ProviderRow:
    """A provider without a row; its id is the same on every server and after every restart."""
    made = ProviderRow(stable_id("provider", origin, name), name, provider_type, origin)
    return replace(made, **values)


def providers_from(env: Mapping[str, str], configured: Sequence[ProviderSettings] = ()) -> list[ProviderRow]:
    """Every provider that configuration or environment name; the configuration's win and come first."""
    found = [*map(_from_settings, configured), *_from_environment(env)]
    return list({row.name: row for row in reversed(found)}.values())[::-1]


def _from_settings(entry: ProviderSettings) -> ProviderRow:
    return base_provider(
        "config",
        entry.name,
        entry.type,
        base_url=entry.base_url,
        api_key=entry.api_key and entry.api_key.get_secret_value(),
        access_key=entry.access_key and entry.access_key.get_secret_value(),
        region=entry.region,
        api_version=entry.api_version,
        headers=entry.headers,
    )


def _from_environment(env: Mapping[str, str]) -> Iterator[ProviderRow]:
    for vendor in KNOWN:
        key = _first(env, vendor.variables, KEY_NAMES)
        url = _address(env, vendor.variables, URL_NAMES)
        if key or (url and vendor.keyless):
            version = _first(env, vendor.variables, ("API_VERSION",))
            yield base_provider(
                "environment", vendor.name, vendor.name, base_url=url, api_key=key, api_version=version
            )
    yield from _bedrock(env)


def _bedrock(env: Mapping[str, str]) -> Iterator[ProviderRow]:
    """Bedrock reads either a key of its own or the usual AWS credential with a region."""
    key, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    region = env.get("BEDROCK_REGION") or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    token = env.get("BEDROCK_API_KEY") or env.get("AWS_BEARER_TOKEN_BEDROCK")
    url = _address(env, ("BEDROCK",), ("BASE_URL",))
    if token:
        yield base_provider("environment", "bedrock", "bedrock", api_key=token, region=region, base_url=url)
    elif key and secret and region:
        yield base_provider(
            "environment", "bedrock", "bedrock", api_key=secret, access_key=key, region=region, base_url=url
        )


def _first(env: Mapping[str, str], prefixes: Iterable[str], suffixes: Iterable[str]) -> str | None:
    return _found(env, prefixes, suffixes)[1]


def _found(
    env: Mapping[str, str], prefixes: Iterable[str], suffixes: Iterable[str]
) -> tuple[str, str | None]:
    """The first of some variables that is set, and its value."""
    for name in (f"{prefix}_{suffix}" for prefix, suffix in product(prefixes, suffixes)):
        value = env.get(name, "").strip()
        if value:
            return name, value
    return "", None


def _address(env: Mapping[str, str], prefixes: Iterable[str], suffixes: Iterable[str]) -> str | None:
    """A URL as people write it in a variable: the scheme may be missing."""
    name, value = _found(env, prefixes, suffixes)
    if value and "://" not in value:
        value = f"http://{value}"
    try:
        return checked_url(value)
    except ValueError as error:
        raise InvalidArgument(f"{name}: {error}.") from error
