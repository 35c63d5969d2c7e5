"""Gemini, by key or on Google Cloud, through pydantic-ai. Needs the extra `google`."""

import httpx2
from pydantic_ai.models.google import GoogleModel, GoogleModelSettings
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.google_cloud import GoogleCloudProvider

from perdure.providers.base import ModelClient, ModelRequest
from perdure.providers.endpoint import Endpoint, normal_url
from perdure.providers.vendors.bridge import BridgeClient

NOT_THINKING = ("gemini-1", "gemini-2.0", "gemma")


def open_client(endpoint: Endpoint) -> ModelClient:
    """A client for Gemini models."""

    def make(request: ModelRequest, http: httpx2.AsyncClient) -> GoogleModel:
        return GoogleModel(request.model, provider=_provider(endpoint, http), settings=_thinking(request))

    return BridgeClient(endpoint, make)


def _thinking(request: ModelRequest) -> GoogleModelSettings | None:
    """Thinking is asked for with its text, as other vendors give it. An effort is a setting of the call."""
    if request.model.startswith(NOT_THINKING) or (request.reasoning_effort and not request.thinking_budget):
        return None
    if request.thinking_budget:
        budget = request.thinking_budget
        return {"google_thinking_config": {"include_thoughts": True, "thinking_budget": budget}}
    return {"thinking": True}


def _provider(endpoint: Endpoint, http: httpx2.AsyncClient) -> GoogleProvider | GoogleCloudProvider:
    if endpoint.type == "google_vertex":
        if endpoint.api_key:
            return GoogleCloudProvider(api_key=endpoint.api_key, http_client=http)
        return GoogleCloudProvider(project=endpoint.access_key, location=endpoint.region, http_client=http)
    base = normal_url("google_ai", endpoint.base_url) if endpoint.base_url else None
    return GoogleProvider(api_key=endpoint.api_key or "none", base_url=base, http_client=http)
