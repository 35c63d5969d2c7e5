"""Models on Amazon Bedrock through pydantic-ai. Needs the extra `bedrock`."""

import httpx2
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from perdure.providers.base import ModelClient, ModelRequest
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.bridge import BridgeClient


def open_client(endpoint: Endpoint) -> ModelClient:
    """A client for Bedrock: `access_key` with `api_key` as its secret, or a Bedrock API key alone.

    Its SDK has HTTP of its own, so the raw call is not seen.
    """
    provider = _provider(endpoint)

    def make(request: ModelRequest, _: httpx2.AsyncClient) -> BedrockConverseModel:
        return BedrockConverseModel(request.model, provider=provider)

    return BridgeClient(endpoint, make)


def _provider(endpoint: Endpoint) -> BedrockProvider:
    region, url = endpoint.region, endpoint.base_url
    if endpoint.api_key and not endpoint.access_key:
        return BedrockProvider(api_key=endpoint.api_key, region_name=region, base_url=url)
    return BedrockProvider(
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.api_key,
        region_name=region,
        base_url=url,
    )
