"""From a provider's endpoint to its model client."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from perdure.providers.base import Exchange, ModelClient, ModelEvent, ModelRequest, ModelUnavailable
from perdure.providers.endpoint import Endpoint
from perdure.providers.preview import body_of
from perdure.providers.vendors.compatible import reasons
from perdure.providers.vendors.wire import anthropic_client, chat_client, responses_client

OWN: Mapping[str, Callable[[Endpoint], ModelClient]] = {"anthropic": anthropic_client}
# Loaded at the first call, as each costs seconds of import and tens of megabytes. The name of the
# module is also that of the extra which it needs.
LAZY = {
    "google_ai": "google",
    "google": "google",
    "google_vertex": "google",
    "bedrock": "bedrock",
    "local": "local",
}


def open_client(endpoint: Endpoint) -> ModelClient:
    """The client for a provider, without retries. Nothing is connected or loaded yet.

    Types that nobody knows are taken for servers that speak chat completions.
    """
    if endpoint.type == "openai":
        return OpenAIClient(chat_client(endpoint), responses_client(endpoint))
    if endpoint.type in LAZY:
        return LazyClient(endpoint)
    return OWN.get(endpoint.type, chat_client)(endpoint)


class ExtraMissing(ModelUnavailable):
    """A provider needs a package that is not installed; trying again will not help."""

    retryable = False


@dataclass(frozen=True, slots=True)
class OpenAIClient:
    """OpenAI itself: Responses for the models that reason, chat completions for the others."""

    chat: ModelClient
    responses: ModelClient

    def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Ask; see `ModelClient`."""
        return self._of(request).stream(request, exchange)

    def body(self, request: ModelRequest) -> Mapping[str, Any]:
        """What would be sent; see `Previewable`."""
        return body_of(self._of(request), request)

    def _of(self, request: ModelRequest) -> ModelClient:
        return self.responses if reasons(request.model) else self.chat


@dataclass(frozen=True, slots=True)
class LazyClient:
    """A client whose vendor is imported at the first call, if `warm` has not done it before."""

    endpoint: Endpoint

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Ask; see `ModelClient`."""
        extra = LAZY[self.endpoint.type]
        try:
            opened = (await asyncio.to_thread(load, extra))(self.endpoint)
        except ImportError as error:
            raise ExtraMissing(
                f"Provider '{self.endpoint.name}' ({self.endpoint.type}) needs an optional package: "
                f"install it with `pip install 'perdure[{extra}]'` and start the server again.",
                provider=self.endpoint.name,
            ) from error
        async with aclosing(opened.stream(request, exchange)) as events:
            async for event in events:
                yield event


def load(name: str) -> Callable[[Endpoint], ModelClient]:
    """The `open_client` of one of the vendors in `LAZY`."""
    return import_module(f"perdure.providers.vendors.{name}").open_client
