"""From a provider's endpoint to its model client, and what to load before the first call."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module

from perdure.providers.base import Exchange, ModelClient, ModelEvent, ModelRequest
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.compatible import reasons
from perdure.providers.vendors.wire import anthropic_client, chat_client, responses_client

# Loaded when opened: each costs seconds of import and tens of megabytes.
LAZY: Mapping[str, str] = {
    "google_ai": "perdure.providers.vendors.google",
    "google": "perdure.providers.vendors.google",
    "google_vertex": "perdure.providers.vendors.google",
    "bedrock": "perdure.providers.vendors.bedrock",
}


@dataclass(frozen=True, slots=True)
class OpenAIClient:
    """OpenAI itself: Responses for the models that reason, chat completions for the others."""

    chat: ModelClient
    responses: ModelClient

    def stream(self, request: ModelRequest, exchange: Exchange | None = None) -> AsyncIterator[ModelEvent]:
        """Ask; see `ModelClient`."""
        client = self.responses if reasons(request.model) else self.chat
        return client.stream(request, exchange)


def open_client(endpoint: Endpoint) -> ModelClient:
    """The client for a provider, without retries. Nothing is connected or loaded yet.

    Types that nobody knows are taken for servers that speak chat completions.
    """
    if endpoint.type == "openai":
        return OpenAIClient(chat_client(endpoint), responses_client(endpoint))
    if endpoint.type in LAZY:
        return LazyClient(endpoint)
    return OWN.get(endpoint.type, chat_client)(endpoint)


OWN: Mapping[str, Callable[[Endpoint], ModelClient]] = {"anthropic": anthropic_client}


@dataclass(frozen=True, slots=True)
class LazyClient:
    """A client whose vendor is imported at the first call, if `warm` has not done it before."""

    endpoint: Endpoint

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent]:
        """Ask; see `ModelClient`."""
        module = await asyncio.to_thread(import_module, LAZY[self.endpoint.type])
        async with aclosing(module.open_client(self.endpoint).stream(request, exchange)) as events:
            async for event in events:
                yield event


def warm(types: Iterable[str]) -> None:
    """Import what these provider types need; blocks for seconds, so run it in a thread after start."""
    for module in {LAZY[name] for name in types if name in LAZY}:
        import_module(module).warm()
