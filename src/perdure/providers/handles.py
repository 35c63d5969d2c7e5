"""Model handles: how `<provider name>/<model>` is read, matched and, when wrong, guessed. All pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from urllib.parse import urlsplit

from perdure.kit.errors import InvalidArgument, NotFound

PROXY = "openai-proxy"

# Names that clients use for dated models of these provider types.
ALIASES: Mapping[tuple[str, str], str] = {
    ("openai", "gpt-4o-mini-jul"): "gpt-4o-mini-2024-07-18",
    ("anthropic", "claude-3-5-sonnet"): "claude-3-5-sonnet-20241022",
}

# What these list is not all they serve: deployments, profiles and tuned models have names of their own.
OPEN_ENDED = {"azure", "bedrock", "google_vertex", "hugging-face", "baseten"}

DATE = r"-\d{4,8}(-\d{2}-\d{2})?|-\d{2}-\d{4}"


class UnknownModel(NotFound):
    """No provider of this organization has the model; the detail names the nearest handles."""


def split_handle(handle: str) -> tuple[str, str]:
    """The provider's name and the model's; the model may have slashes of its own."""
    provider, slash, model = handle.partition("/")
    if not slash or not provider or not model:
        raise InvalidArgument(
            f"INVALID_ARGUMENT: model handle {handle!r} must have the form <provider name>/<model>, "
            "such as openai/gpt-5-mini. GET /v1/models/ lists the handles."
        )
    return provider, model


def is_official_openai(base_url: str | None) -> bool:
    """Whether the URL of an `openai` provider is OpenAI's own."""
    host = urlsplit(base_url).hostname if base_url else "api.openai.com"
    return host is not None and (host == "api.openai.com" or host.endswith(".api.openai.com"))


def proxy_name(candidates: Sequence[str], model: str) -> str:
    """The one provider that `openai-proxy/<model>` can mean."""
    if not candidates:
        raise UnknownModel(
            f"NOT_FOUND: {PROXY}/{model}: there is no provider of type openai with a base_url of its own."
        )
    if len(candidates) > 1:
        choices = ", ".join(f"{name}/{model}" for name in sorted(candidates))
        raise InvalidArgument(
            f"INVALID_ARGUMENT: {PROXY}/{model} can mean several providers; name one: {choices}."
        )
    return candidates[0]


def listed_name(model: str, provider_type: str, names: Iterable[str]) -> str | None:
    """The vendor's name for `model` if a provider that lists `names` serves it.

    A vendor serves more than it lists: dated models by their undated name, `-latest`, Ollama's
    implied `:latest`, OpenRouter's variants after a colon.
    """
    known = set(names)
    if model in known:
        return model
    alias = ALIASES.get((provider_type, model))
    if alias:
        return alias
    if provider_type in OPEN_ENDED or model.startswith("ft:"):
        return model
    if provider_type == "ollama":
        return f"{model}:latest" if f"{model}:latest" in known else None
    stem = model.removesuffix("-latest")
    if stem.partition(":")[0] in known:
        return model
    dated = re.compile(re.escape(stem) + f"({DATE})")
    return model if any(dated.fullmatch(name) for name in known) else None


def nearest(handle: str, handles: Sequence[str], count: int = 5) -> list[str]:
    """The handles most like this one: by the whole, or by the model's name alone."""
    wanted = handle.partition("/")[2] or handle
    same = [known for known in handles if known.partition("/")[2] == wanted]
    close = get_close_matches(handle, handles, n=count, cutoff=0.6)
    models = {known.partition("/")[2]: known for known in handles}
    alike = [models[name] for name in get_close_matches(wanted, models, n=count, cutoff=0.5)]
    return list(dict.fromkeys([*same, *close, *alike]))[:count]


def unknown_model(handle: str, handles: Sequence[str], why: str) -> UnknownModel:
    """The error for a handle that leads nowhere: why, and what was perhaps meant."""
    near = nearest(handle, handles)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    return UnknownModel(f"NOT_FOUND: model {handle}: {why}.{hint} GET /v1/models/ lists all.", nearest=near)
