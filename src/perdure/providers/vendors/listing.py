"""What models a provider has: one question per kind of API, its answer read by pure functions."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, cast

from perdure.providers.base import ModelError
from perdure.providers.endpoint import Endpoint, ListedModel, normal_url, root_url
from perdure.providers.modalities import IMAGES, TEXT
from perdure.providers.vendors.compatible import dialect_of
from perdure.providers.vendors.http import get_json, post_json
from perdure.providers.vendors.weights import weights_of
from perdure.providers.vendors.wire import (
    ANTHROPIC_URL,
    anthropic_authorization,
    base_url,
    chat_authorization,
)

GOOGLE_URL = "https://generativelanguage.googleapis.com"
OTHER_MODELS = re.compile(
    r"whisper|tts|dall-e|moderation|transcribe|realtime|gpt-image|sora|davinci|babbage|rerank|audio|stable-diff",
    re.IGNORECASE,
)
EMBEDS = re.compile(r"embed|(^|[-/])(bge|gte|e5)[-_]", re.IGNORECASE)
WINDOWS = ("context_length", "max_model_len", "context_window", "max_context_length", "max_input_tokens")
OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_output_length", "max_tokens")
ASKED_AT_ONCE = 4
Row = dict[str, Any]


async def list_models(endpoint: Endpoint) -> list[ListedModel]:
    """The models of a provider, with what it tells of their limits. Raises `ModelError`."""
    if endpoint.type in ("google_vertex", "bedrock"):
        return []  # no list by key alone: their models are named in the configuration
    return await ASK.get(endpoint.type, _compatible)(endpoint)


async def _compatible(endpoint: Endpoint) -> list[ListedModel]:
    base = base_url(endpoint)
    query = ""
    if endpoint.type == "azure":
        base = base.removesuffix("/openai/v1").removesuffix("/v1").removesuffix("/openai") + "/openai/v1"
        query = "?api-version=preview" if endpoint.api_version else ""
    headers = {**chat_authorization(endpoint), **endpoint.headers}
    return read_compatible(await get_json(endpoint, f"{base}/models{query}", headers))


def read_compatible(answer: Any) -> list[ListedModel]:
    """`GET /v1/models` and its relatives; a bare list too (Together)."""
    rows: list[Row] = cast("list[Row]", answer) if isinstance(answer, list) else answer.get("data") or []
    return [model for row in rows if (model := _model(row)) is not None]


def _model(row: Row) -> ListedModel | None:
    name: str = row["id"]
    provided, limits = _part(row, "top_provider"), _part(row, "meta")  # OpenRouter; llama.cpp
    kind = _kind(row, name)
    if kind is None:
        return None
    window = _first(row, WINDOWS) or _number(limits.get("n_ctx")) or _number(limits.get("n_ctx_train"))
    output = _number(provided.get("max_completion_tokens")) or _first(row, OUTPUTS)
    if kind == "embedding":
        return ListedModel(name, kind, window)
    return ListedModel(name, kind, window, output, input_modalities=_modalities(row))


def _kind(row: Row, name: str) -> Literal["llm", "embedding"] | None:
    told = str(row.get("type") or "")
    if told in ("embedding", "embeddings") or EMBEDS.search(name):
        return "embedding"
    if not _part(row, "capabilities").get("completion_chat", True):  # Mistral
        return None
    if told in ("image", "audio", "video", "rerank", "moderation", "transcribe"):
        return None
    if "text" not in (_part(row, "architecture").get("output_modalities") or TEXT):
        return None
    return None if OTHER_MODELS.search(name) else "llm"


def _modalities(row: Row) -> tuple[str, ...] | None:
    """What a model reads: OpenRouter's words, or whether Fireworks, Mistral or Anthropic let it see."""
    told: Any = _part(row, "architecture").get("input_modalities")
    if isinstance(told, list) and told:
        return tuple(map(str, cast("list[Any]", told)))
    able = _part(row, "capabilities")
    sees = (row.get("supports_image_input"), able.get("vision"), _part(able, "image_input").get("supported"))
    answer = next((each for each in sees if isinstance(each, bool)), None)
    return None if answer is None else IMAGES if answer else TEXT


async def _anthropic(endpoint: Endpoint) -> list[ListedModel]:
    base = normal_url("anthropic", endpoint.base_url or ANTHROPIC_URL)
    headers = {**anthropic_authorization(endpoint), **endpoint.headers}
    return read_anthropic(await get_json(endpoint, f"{base}/v1/models?limit=1000", headers))


def read_anthropic(answer: Row) -> list[ListedModel]:
    """Anthropic's list; older answers name the models only."""
    return [
        ListedModel(
            row["id"],
            "llm",
            _number(row.get("max_input_tokens")),
            _number(row.get("max_tokens")),
            input_modalities=_modalities(row),
        )
        for row in answer["data"]
    ]


async def _google(endpoint: Endpoint) -> list[ListedModel]:
    base = normal_url("google_ai", endpoint.base_url or GOOGLE_URL)
    headers = {**endpoint.headers, **({"x-goog-api-key": endpoint.api_key} if endpoint.api_key else {})}
    return read_google(await get_json(endpoint, f"{base}/v1beta/models?pageSize=1000", headers))


def read_google(answer: Row) -> list[ListedModel]:
    """Google's list; a model is for text or for embeddings by the methods it has."""
    models: list[ListedModel] = []
    for row in answer.get("models") or ():
        methods: Any = row.get("supportedGenerationMethods") or ()
        name = row["name"].removeprefix("models/")
        window, output = _number(row.get("inputTokenLimit")), _number(row.get("outputTokenLimit"))
        if "embedContent" in methods:
            models.append(ListedModel(name, "embedding", window))
        elif "generateContent" in methods and not re.search(r"image|tts|audio|live", name):
            models.append(ListedModel(name, "llm", window, output))
    return models


async def _ollama(endpoint: Endpoint) -> list[ListedModel]:
    root = root_url("ollama", endpoint.base_url or dialect_of("ollama").base_url)
    headers = {**chat_authorization(endpoint), **endpoint.headers}
    answer = await get_json(endpoint, f"{root}/api/tags", headers)
    names: list[str] = [row.get("name") or row["model"] for row in answer.get("models") or ()]
    limit = asyncio.Semaphore(ASKED_AT_ONCE)

    async def show(name: str) -> ListedModel:
        async with limit:
            try:
                return read_ollama(
                    name, await post_json(endpoint, f"{root}/api/show", headers, {"model": name})
                )
            except ModelError:  # one broken model must not hide the others
                return ListedModel(name)

    return list(await asyncio.gather(*map(show, names)))


def read_ollama(name: str, shown: Row) -> ListedModel:
    """Ollama's description of one model. A `num_ctx` parameter is what it really runs with."""
    info: Row = shown.get("model_info") or {}
    found = {name.rpartition(".")[2]: _number(value) for name, value in info.items() if "." in name}
    running = re.search(r"(?m)^num_ctx\s+(\d+)", shown.get("parameters") or "")
    window = int(running[1]) if running else found.get("context_length")
    able: list[str] = shown.get("capabilities") or []
    if "embedding" in able or EMBEDS.search(name):
        return ListedModel(name, "embedding", window, None, found.get("embedding_length"))
    read = (IMAGES if "vision" in able else TEXT) if able else None  # older versions tell nothing
    return ListedModel(name, "llm", window, input_modalities=read)


async def _local(endpoint: Endpoint) -> list[ListedModel]:
    weights = weights_of(endpoint)
    return [ListedModel(weights.name, "llm", weights.context, input_modalities=TEXT)]


async def _lmstudio(endpoint: Endpoint) -> list[ListedModel]:
    root = root_url("lmstudio", endpoint.base_url or dialect_of("lmstudio").base_url)
    headers = {**chat_authorization(endpoint), **endpoint.headers}
    try:
        return read_lmstudio(await get_json(endpoint, f"{root}/api/v0/models", headers))
    except ModelError:  # older versions have the common list only
        return read_compatible(await get_json(endpoint, f"{root}/v1/models", headers))


def read_lmstudio(answer: Row) -> list[ListedModel]:
    """LM Studio's own list: the window a model is loaded with, else the largest it could be."""
    return [
        ListedModel(
            row["id"],
            "embedding" if row.get("type") == "embeddings" else "llm",
            _first(row, ("loaded_context_length", "max_context_length")),
            input_modalities={"llm": TEXT, "vlm": IMAGES}.get(row.get("type", "")),
        )
        for row in answer.get("data") or ()
    ]


ASK: Mapping[str, Callable[[Endpoint], Awaitable[list[ListedModel]]]] = {
    "anthropic": _anthropic,
    "google_ai": _google,
    "google": _google,
    "ollama": _ollama,
    "lmstudio": _lmstudio,
    "lmstudio_openai": _lmstudio,
    "local": _local,
}


def _part(row: Mapping[str, Any], name: str) -> Row:
    """A table within a row; empty where the provider has something else there."""
    part = row.get(name)
    return cast("Row", part) if isinstance(part, dict) else {}


def _first(row: Row, names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := _number(row.get(name)))), None)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and value > 0 else None
