"""The models an organization can use: handles resolved to clients, lists answered from memory."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError

from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument, PerdureError
from perdure.providers import prices, vendors
from perdure.providers.base import ModelClient
from perdure.providers.choice import default_model
from perdure.providers.demo import DemoModel
from perdure.providers.detect import detect
from perdure.providers.directory import Directory, View
from perdure.providers.endpoint import Endpoint, ListedModel
from perdure.providers.entries import (
    DEMO,
    ModelEntry,
    ResolvedEmbedding,
    ResolvedModel,
    demo_entry,
    entry_of,
    static_model,
)
from perdure.providers.handles import (
    PROXY,
    is_official_openai,
    listed_name,
    nearest,
    proxy_name,
    split_handle,
    unknown_model,
)
from perdure.providers.listing import Listings, in_time, is_known
from perdure.providers.retry import with_retries
from perdure.providers.settings import CatalogSettings
from perdure.providers.store import Listing
from perdure.providers.tables import ProviderRow
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing

log = logging.getLogger(__name__)

TICK_SECONDS = 60.0
BREATH_SECONDS = 0.1  # whoever waits for the server's start is answered before imports take its processor
PATIENCE_SECONDS = 3.0  # how long a request waits for a list that may know its model by now
ASK_AGAIN = timedelta(seconds=10)
MOST_RESOLVED = 1000
NO_PROVIDER_YET = "Set a key such as OPENAI_API_KEY, start Ollama, or POST /v1/providers/."

OpenClient = Callable[[Endpoint], ModelClient]
ListModels = Callable[[Endpoint], Awaitable[Iterable[ListedModel]]]


class UnknownEmbedding(InvalidArgument):
    """No provider of this organization has the embedding model."""


class Models:
    """All models of all organizations. Long-lived; `start` it once, `close` it at the end.

    `providers` have no rows (see `environment`); `static` are the server's own models by provider
    name, the demo among them, and take any model name. `inside` are embedding models of its own.
    """

    def __init__(
        self,
        db: Database,
        keyring: KeyRing,
        *,
        settings: CatalogSettings | None = None,
        providers: Iterable[ProviderRow] = (),
        static: Mapping[str, ModelClient] | None = None,
        inside: Iterable[ModelEntry] = (),
        open_client: OpenClient = vendors.open_client,
        list_models: ListModels = vendors.list_models,
    ):
        self.keyring = keyring
        self.settings = settings or CatalogSettings()
        self.static: Mapping[str, ModelClient] = {"demo": DemoModel(), **(static or {})}
        self.inside = tuple(inside)
        self._open_client = open_client
        self._list_models = list_models
        self.listings = Listings(db, self._ask, self.forget)
        self.directory = Directory(db, providers, self.listings.learn)
        self._clients: dict[str, tuple[ProviderRow, ModelClient]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look for providers and to keep their lists fresh, in the background."""
        self._task = asyncio.create_task(self._keep_fresh(), name="model-lists")

    async def close(self) -> None:
        """Stop the background task and every question under way, and hang up on all vendors."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.listings.close()
        await self.directory.close()
        await vendors.close_pool()

    async def warm(self) -> None:
        """Load what the first request would wait for: the stored lists and the price data."""
        types = {row.provider_type for row in self.directory.base()}
        await asyncio.gather(self.directory.view(Actor()), asyncio.to_thread(_load, types))

    async def _keep_fresh(self) -> None:
        await asyncio.sleep(BREATH_SECONDS)
        with contextlib.suppress(SQLAlchemyError, OSError):
            await self.warm()
        while True:
            try:
                await self.refresh_due()
            except (PerdureError, SQLAlchemyError, OSError):  # a database that is away for a while
                log.exception("The lists of models could not be refreshed")
            await asyncio.sleep(min(TICK_SECONDS, self.settings.refresh_seconds))

    async def refresh_due(self) -> None:
        """Look for local servers, then ask every provider whose list has grown old."""
        if self.settings.detect:
            found = self.directory.add(await detect(self.directory.base()))
            if found:
                log.info("Found model servers on this machine: %s", ", ".join(row.name for row in found))
        rows = {row.id: row for row in self.directory.base()}
        for actor in self.directory.actors():
            rows |= {row.id: row for row in await self.providers(actor)}
        due = [row for row in rows.values() if self.listings.is_due(row, self.settings.refresh_seconds)]
        await self.listings.refresh_all(due)

    async def resolve(self, actor: Actor, handle: str) -> ResolvedModel:
        """The model of a handle, ready to be asked; raises `UnknownModel` naming the nearest."""
        view = await self.directory.view(actor)
        found = view.resolved.get(handle)
        if found is None:
            found = await self._resolve(view, handle)
            if len(view.resolved) >= MOST_RESOLVED:
                view.resolved.clear()
            view.resolved[handle] = found
        return found

    async def resolve_embedding(self, actor: Actor, handle: str) -> ResolvedEmbedding:
        """The embedding model of a handle; raises `UnknownEmbedding` naming the nearest."""
        view = await self.directory.view(actor)
        target = self.settings.handles.get(handle, handle)
        name, model = split_handle(target)
        row = view.rows.get(name)
        listing = self.listings.of(row) if row else Listing()
        if row is None or (is_known(listing) and not await self._served(row, model)):
            known = [*self._handles(view, "embedding"), *(entry.handle for entry in self.inside)]
            near = ", ".join(nearest(target, known)) or "none"
            raise UnknownEmbedding(f"NOT_FOUND: embedding model {handle} is unknown. Nearest: {near}.")
        listed = self._listed(row, model, "embedding")
        return ResolvedEmbedding(
            handle,
            row.name,
            row.provider_type,
            row.category,
            model,
            self.endpoint(row),
            listed.dimensions,
        )

    async def default_handle(self, actor: Actor) -> str:
        """The model of agents that name none: the setting's, else the first that works, else the demo."""
        if self.settings.default is not None:
            return self.settings.default
        rows = await self.providers(actor)
        return default_model(rows, {row.id: self.listings.of(row) for row in rows}) or DEMO

    async def entries(self, actor: Actor) -> list[ModelEntry]:
        """Every model and embedding model the organization can use, from memory."""
        view = await self.directory.view(actor)
        if view.entries is None:
            # Looking up many models for the first time takes long enough to need a thread.
            return await asyncio.to_thread(self._entries, view)
        return view.entries

    async def providers(self, actor: Actor) -> list[ProviderRow]:
        """The organization's own providers, and those without a row that they do not shadow."""
        return list((await self.directory.view(actor)).rows.values())

    def forget(self, row: ProviderRow | None = None) -> None:
        """See a changed provider anew, its list and client dropped; or everyone's providers."""
        if row is None:
            self.directory.forget()
        else:
            self.listings.forget(row.id)
            self._clients.pop(row.id, None)
            self.directory.forget(row.organization_id)

    def endpoint(self, row: ProviderRow) -> Endpoint:
        """Where and how to reach a provider, its keys opened."""
        return Endpoint(
            name=row.name,
            type=row.provider_type,
            base_url=row.base_url,
            api_key=self._opened(row, row.api_key),
            access_key=self._opened(row, row.access_key),
            region=row.region,
            api_version=row.api_version,
            headers=row.headers,
        )

    async def ask(self, endpoint: Endpoint) -> tuple[ListedModel, ...]:
        """The models an endpoint lists, without keeping anything; raises its refusal."""
        return await in_time(endpoint.name, self._list_models(endpoint), self.settings.list_timeout)

    async def _ask(self, row: ProviderRow) -> tuple[ListedModel, ...]:
        return await self.ask(self.endpoint(row))

    def _opened(self, row: ProviderRow, secret: str | None) -> str | None:
        if secret is None or row.organization_id is None:
            return secret
        return self.keyring.open(secret, table="providers", row=row.id, organization=row.organization_id)

    async def _resolve(self, view: View, handle: str) -> ResolvedModel:
        target = self.settings.handles.get(handle, handle)
        name, model = split_handle(target)
        if name in self.static and name not in view.rows:
            return static_model(handle, name, model, self.static[name])
        row = self._provider(view, target, name, model)
        served = await self._served(row, model)
        if served is None:
            raise self._unknown(view, target, f"provider {row.name} does not serve it")
        if not prices.is_loaded():
            await asyncio.to_thread(prices.load)
        entry = entry_of(row, self._listed(row, served, "llm"), self.settings)
        return ResolvedModel(
            handle=handle,
            provider_name=row.name,
            provider_type=row.provider_type,
            provider_category=row.category,
            model=served,
            endpoint_url=entry.endpoint_url,
            context_window=entry.context_window,
            max_output_tokens=entry.max_output_tokens,
            client=self._client(row),
        )

    def _provider(self, view: View, handle: str, name: str, model: str) -> ProviderRow:
        row = view.rows.get(name)
        if row is not None:
            return row
        if name == PROXY:
            rows = view.rows.values()
            proxies = [row for row in rows if row.provider_type == "openai" and not _is_official(row)]
            return view.rows[proxy_name([row.name for row in proxies], model)]
        advice = "" if view.rows else f" {NO_PROVIDER_YET}"
        raise self._unknown(view, handle, f"no provider is named {name!r}{advice and '.'}{advice}")

    def _unknown(self, view: View, handle: str, why: str) -> PerdureError:
        return unknown_model(handle, [*self._handles(view, "llm"), DEMO], why)

    def _handles(self, view: View, kind: str) -> list[str]:
        """All handles of a kind, without what takes longer to know."""
        rows = view.rows.values()
        listed = ((row, model) for row in rows for model in self.listings.of(row).models)
        return [f"{row.name}/{model.name}" for row, model in listed if model.kind == kind]

    async def _served(self, row: ProviderRow, model: str) -> str | None:
        """The vendor's name of the model, or null if the provider is known not to serve it."""
        listing = self.listings.of(row)
        served = listed_name(model, row.provider_type, listing.names)
        if served is None and is_known(listing):
            listing = await self._asked_again(row, listing)
            served = listed_name(model, row.provider_type, listing.names)
        if served is None and not is_known(listing):
            log.info("Taking %s/%s on trust: the provider's list is not known", row.name, model)
            return model
        return served

    async def _asked_again(self, row: ProviderRow, listing: Listing) -> Listing:
        """The list as it is now: the model may have been added a minute ago."""
        if listing.listed_at is not None and now() - listing.listed_at > ASK_AGAIN:
            with contextlib.suppress(PerdureError, TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self.listings.refresh(row)
        return self.listings.of(row)

    def _listed(self, row: ProviderRow, name: str, kind: str) -> ListedModel:
        """What the provider told of a model; nothing but the name, if it did not list it."""
        listed = (model for model in self.listings.of(row).models if model.name == name)
        return next(listed, ListedModel(name, "embedding" if kind == "embedding" else "llm"))

    def _client(self, row: ProviderRow) -> ModelClient:
        """The provider's client, opened once and kept while the provider stays as it is."""
        held = self._clients.get(row.id)
        if held is None or held[0] != row:
            held = self._clients[row.id] = (row, with_retries(self._open_client(self.endpoint(row))))
        return held[1]

    def _entries(self, view: View) -> list[ModelEntry]:
        if view.entries is None:
            rows = view.rows.values()
            listed = ((row, model) for row in rows for model in self.listings.of(row).models)
            view.entries = [*self.inside, *(entry_of(row, model, self.settings) for row, model in listed)]
            view.entries.append(demo_entry())
        return view.entries


def _load(types: set[str]) -> None:
    """Import what is only imported when needed."""
    prices.load()
    import_module("perdure.providers.demo.decide")
    vendors.warm(types)


def _is_official(row: ProviderRow) -> bool:
    return is_official_openai(row.base_url)


async def _of_request(request: Request) -> Models:
    return request.app.state.models


CurrentModels = Annotated[Models, Depends(_of_request)]
