"""Where a provider's models live: its address, its credentials, and how addresses are spelled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from perdure.kit.errors import InvalidArgument

IDLE_SECONDS = 180.0
ENDINGS = re.compile(r"/(chat/completions|completions|responses|messages|models|embeddings|api/tags)$")
LOCAL_SERVERS = {"ollama": r"/(v1|api)$", "vllm": r"/v1$", "sglang": r"/v1$", "lmstudio": r"/(v1|api/v\d+)$"}
LOCAL_SERVERS["lmstudio_openai"] = LOCAL_SERVERS["lmstudio"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider as its adapter needs it. `name` is for error texts, `type` is the `provider_type`.

    A model's thinking belongs to the type: `Reasoning.vendor` is `Endpoint.type`, and thinking of
    another vendor is never sent.
    """

    name: str
    type: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    region: str | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    idle_seconds: float = IDLE_SECONDS


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as its provider lists it; null where the provider does not tell."""

    name: str
    kind: Literal["llm", "embedding"] = "llm"
    context_window: int | None = None
    max_output_tokens: int | None = None
    dimensions: int | None = None
    input_modalities: tuple[str, ...] | None = None


def normal_url(type: str, url: str) -> str:
    """The base address of an API however its user spelled it: no ending slash, `/v1` where it belongs.

    Local servers (Ollama, LM Studio, vLLM) and bare hosts always get `/v1`; Anthropic and Google never
    have a version here; a `local` model's is a file; any other path is the user's own.
    Raises `InvalidArgument`.
    """
    if type == "local":
        return url.strip()
    parts = _split(_with_scheme(url.strip()))
    path = _squeeze(parts.path)
    while ENDINGS.search(path):
        path = _squeeze(ENDINGS.sub("", path))
    if type in LOCAL_SERVERS:
        path = _without(LOCAL_SERVERS[type], path) + "/v1"
    elif type in ("anthropic", "google_ai", "google", "bedrock"):
        path = _without(r"/v\d+(alpha|beta)?\d*$", path)
    elif not path and type != "azure":
        path = "/v1"
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, "", ""))


def root_url(type: str, url: str) -> str:
    """The address of a local server itself, for the parts of its API that are not under `/v1`."""
    return normal_url(type, url).removesuffix("/v1")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.hostname and (parts.port or 0) >= 0:
            return parts
    except ValueError:
        pass
    raise InvalidArgument(f"base_url {url!r} is not a usable address; write http(s)://host[:port][/path].")


def _with_scheme(url: str) -> str:
    return url if re.match(r"(?i)https?://", url) else f"http://{url}"


def _without(ending: str, path: str) -> str:
    while re.search(ending, path):
        path = _squeeze(re.sub(ending, "", path))
    return path


def _squeeze(path: str) -> str:
    return re.sub(r"/{2,}", "/", path).rstrip("/")
