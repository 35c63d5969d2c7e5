"""Vectors of providers: the `/embeddings` endpoint that OpenAI's, Google's and most local servers have."""

from collections.abc import Sequence
from typing import Any, cast

from perdure.providers.base import ModelBadRequest, ModelUnavailable
from perdure.providers.endpoint import Endpoint, normal_url
from perdure.providers.vendors.http import post_json
from perdure.providers.vendors.listing import GOOGLE_URL
from perdure.providers.vendors.wire import base_url, chat_authorization

WITHOUT = ("anthropic", "bedrock", "google_vertex", "local", "chatgpt_oauth")


async def embed(
    endpoint: Endpoint, model: str, texts: Sequence[str], seconds: float
) -> list[Sequence[float]]:
    """The vectors of texts in their order, as the provider gives them; raises `ModelError`."""
    headers = {**chat_authorization(endpoint), **endpoint.headers}
    body = {"model": model, "input": list(texts), "encoding_format": "float"}
    answer = await post_json(endpoint, _url(endpoint, model), headers, body, seconds)
    return _read(endpoint, answer, len(texts))


def _url(endpoint: Endpoint, model: str) -> str:
    if endpoint.type in WITHOUT:
        raise ModelBadRequest(
            f"Provider '{endpoint.name}' ({endpoint.type}) has no embeddings here; name another model.",
            provider=endpoint.name,
        )
    if endpoint.type in ("google_ai", "google"):
        return f"{normal_url('google_ai', endpoint.base_url or GOOGLE_URL)}/v1beta/openai/embeddings"
    base = base_url(endpoint)
    if endpoint.type != "azure":
        return f"{base}/embeddings"
    root = base.removesuffix("/openai/v1").removesuffix("/v1").removesuffix("/openai")
    if not endpoint.api_version:
        return f"{root}/openai/v1/embeddings"
    return f"{root}/openai/deployments/{model}/embeddings?api-version={endpoint.api_version}"


def _read(endpoint: Endpoint, answer: Any, number: int) -> list[Sequence[float]]:
    try:
        rows = cast("list[dict[str, Any]]", answer["data"])
        vectors = [_vector(row) for row in sorted(rows, key=lambda row: row.get("index", 0))]
    except (TypeError, KeyError, AttributeError):
        vectors = []
    if len(vectors) != number or not all(vectors):
        detail = f"Provider '{endpoint.name}' did not answer a vector for each of {number} texts."
        raise ModelUnavailable(detail, provider=endpoint.name)
    return vectors


def _vector(row: dict[str, Any]) -> Sequence[float]:
    return list(row["embedding"])
