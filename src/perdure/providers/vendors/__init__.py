"""Vendors of models, behind `ModelClient`: how to open one, warm it up, and list what it has.

Three wire formats are ours (`chat`, `responses`, `anthropic`), because nearly all traffic goes through
them and a call must cost little; the others go through pydantic-ai (`bridge`). Importing this package
loads neither HTTP nor any vendor: the server must start fast, and `warm` can follow in a thread.
"""

# ruff: noqa: PLC0415 - the functions are the door to heavy modules
import asyncio
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from perdure.providers.base import ModelClient
from perdure.providers.endpoint import Endpoint, ListedModel

HTTP = "perdure.providers.vendors.http"
LISTING = "perdure.providers.vendors.listing"
EMBEDDING = "perdure.providers.vendors.embeddings"


def open_client(endpoint: Endpoint) -> ModelClient:
    """The client for a provider, without retries; nothing is connected yet. Raises `InvalidArgument`."""
    from perdure.providers.vendors import client

    return client.open_client(endpoint)


async def list_models(endpoint: Endpoint) -> list[ListedModel]:
    """The models of a provider, with what it tells of their limits. Raises `ModelError`."""
    listing = await asyncio.to_thread(import_module, LISTING)
    return await listing.list_models(endpoint)


async def embed(
    endpoint: Endpoint, model: str, texts: Sequence[str], seconds: float
) -> list[Sequence[float]]:
    """The vectors of texts, as a provider gives them. Raises `ModelError`."""
    embedding = await asyncio.to_thread(import_module, EMBEDDING)
    return await embedding.embed(endpoint, model, texts, seconds)


def warm(types: Iterable[str]) -> None:
    """Load and exercise what these provider types need. It blocks: run it in a thread after start."""
    from perdure.providers.vendors import rehearse

    rehearse.warm(types)


async def close_pool() -> None:
    """Close the running loop's connections; call it when the server stops."""
    if HTTP in sys.modules:
        from perdure.providers.vendors import http

        await http.close_pool()
