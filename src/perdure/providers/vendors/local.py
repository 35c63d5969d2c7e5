"""A GGUF file of the user's, run inside this process by llama.cpp. Needs the extra `local` (xllamacpp).

The provider's `base_url` is the file's path, or `file:///path/model.gguf?context=16384` to say how
much of the model's window to make room for. Tools go through a JSON schema (`local_tools`): small
models' templates drop tools silently, and `tool_choice` is not enforced there.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from perdure.providers.base import Exchange, ModelClient, ModelEvent, ModelRequest, ModelUnavailable
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.local_tools import Steered, with_schema
from perdure.providers.vendors.weights import Weights, weights_of
from perdure.providers.vendors.wire import chat_client

xllamacpp: Any = import_module("xllamacpp")  # an extra, and untyped
IDLE_SECONDS = 900.0  # a long prompt on a slow processor is silent for minutes


@dataclass(slots=True)
class LocalClient:
    """`ModelClient` over a model in this process, loaded at the first call."""

    endpoint: Endpoint
    weights: Weights
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _server: Any = None
    _client: ModelClient | None = None

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Ask; see `ModelClient`."""
        client = await self._opened()
        steered = with_schema(request) if request.tools and request.tool_choice.mode != "none" else None
        async with aclosing(client.stream(steered or replace(request, tools=()), exchange)) as events:
            if steered is None:
                async for event in events:
                    yield event
                return
            reader = Steered()
            async for event in events:
                for found in reader.read(event):
                    yield found

    async def _opened(self) -> ModelClient:
        async with self._lock:
            if self._client is None:
                self._server = await asyncio.to_thread(self._load)
                url = self._server.listening_address
                endpoint = replace(self.endpoint, type="llamacpp", base_url=url, idle_seconds=IDLE_SECONDS)
                self._client = chat_client(endpoint)
            return self._client

    def _load(self) -> Any:
        params: Any = xllamacpp.CommonParams()
        params.model.path = str(self.weights.path)
        params.n_ctx = self.weights.context
        params.n_parallel = 1
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.verbosity = 1  # errors only
        params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            detail = f"Provider '{self.endpoint.name}' could not load {self.weights.path}: {error}"
            raise ModelUnavailable(detail, provider=self.endpoint.name) from error


def open_client(endpoint: Endpoint) -> ModelClient:
    """The one client of a model file: opening it twice must not load it twice."""
    weights = weights_of(endpoint)
    return _LOADED.setdefault(weights, LocalClient(endpoint, weights))


_LOADED: dict[Weights, LocalClient] = {}
