"""Handles become clients; lists answer from memory whatever the providers do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure.db import Database, connect
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, InvalidArgument
from perdure.kit.ids import new_id
from perdure.providers import edit, store
from perdure.providers.base import ModelUnavailable
from perdure.providers.catalog import Models, UnknownEmbedding
from perdure.providers.choice import default_model
from perdure.providers.demo import DemoModel
from perdure.providers.endpoint import Endpoint, ListedModel
from perdure.providers.environment import base_provider
from perdure.providers.handles import UnknownModel
from perdure.providers.schemas import ProviderCreate, ProviderUpdate
from perdure.providers.settings import CatalogSettings, ModelOverride
from perdure.providers.store import Listing
from perdure.providers.tables import ProviderRow
from perdure.server.tables import metadata
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing
from perdure.tenancy.store import ensure_defaults, ensure_organization
from perdure.testing.scripted import ScriptedModel

ME = Actor()
OPENAI = base_provider("environment", "openai", "openai", api_key="sk-env")


@dataclass
class World:
    """The vendors outside: what each lists, or how it fails, and who was asked with what."""

    lists: dict[str, Iterable[ListedModel] | Exception] = field(default_factory=dict)
    asked: list[Endpoint] = field(default_factory=list)
    opened: list[Endpoint] = field(default_factory=list)
    gate: asyncio.Event | None = None
    third: asyncio.Event = field(default_factory=asyncio.Event)

    async def list_models(self, endpoint: Endpoint) -> Iterable[ListedModel]:
        self.asked.append(endpoint)
        if len(self.asked) == 3:
            self.third.set()
        if self.gate:
            await self.gate.wait()
        found = self.lists.get(endpoint.name, ())
        if isinstance(found, Exception):
            raise found
        return found

    def open_client(self, endpoint: Endpoint) -> Any:
        self.opened.append(endpoint)
        return ScriptedModel()


Make = Callable[..., Models]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """The stores are tested on both databases; what stands on them need not be."""
    db = connect(f"sqlite:///{tmp_path / 'catalog.db'}")
    await db.write(metadata.create_all)
    await db.write(ensure_defaults)
    yield db
    await db.close()


@pytest.fixture
def world() -> World:
    return World(
        {
            "openai": [
                ListedModel("gpt-5-mini"),
                ListedModel("text-embedding-3-small", "embedding", dimensions=1536),
            ]
        }
    )


@pytest.fixture
async def make(database: Database, world: World) -> AsyncIterator[Make]:
    made: list[Models] = []

    def make(*providers: ProviderRow, **options: Any) -> Models:
        settings = options.pop("settings", CatalogSettings(detect=False))
        models = Models(
            database,
            KeyRing([b"k" * 32]),
            settings=settings,
            providers=providers,
            open_client=world.open_client,
            list_models=world.list_models,
            **options,
        )
        made.append(models)
        return models

    yield make
    for models in made:
        await models.close()


async def add(models: Models, database: Database, name: str, **values: Any) -> ProviderRow:
    body = ProviderCreate(name=name, provider_type=values.pop("provider_type", "openai"), **values)
    return await edit.create(models, database, ME, body)


async def test_the_demo_and_static_models_need_no_provider(make: Make):
    scripted = ScriptedModel()
    models = make(static={"scripted": scripted})
    demo = await models.resolve(ME, "demo/offline")
    assert isinstance(demo.client, DemoModel)
    found = await models.resolve(ME, "scripted/any/name")
    assert (found.client, found.model, found.provider_category) == (scripted, "any/name", "base")


async def test_a_provider_of_the_environment_is_seen_by_every_organization(make: Make, world: World):
    models = make(OPENAI)
    await models.refresh_due()
    for actor in (ME, Actor(new_id("org"))):
        found = await models.resolve(actor, "openai/gpt-5-mini")
        assert (found.model, found.provider_name, found.provider_category) == ("gpt-5-mini", "openai", "base")
    assert [endpoint.api_key for endpoint in world.opened] == ["sk-env"]


async def test_the_context_window_tells_where_it_comes_from(make: Make, world: World):
    known = ListedModel("known", context_window=9000, max_output_tokens=7, input_modalities=("text", "image"))
    world.lists["lab"] = [known, ListedModel("odd")]
    lab = base_provider("config", "lab", "vllm", base_url="http://lab")
    override = {"lab/odd": ModelOverride(context_window=5000)}
    models = make(lab, settings=CatalogSettings(detect=False, overrides=override))
    await models.refresh_due()
    found = await models.resolve(ME, "lab/known")
    assert (found.context_window, found.max_output_tokens) == (9000, 7)
    assert (await models.resolve(ME, "lab/odd")).context_window == 5000
    shown = {entry.name: entry for entry in await models.entries(ME)}
    assert (shown["known"].window_source, shown["odd"].window_source) == ("provider", "setting")
    assert shown["known"].modalities == ("text", "image")


async def test_a_handle_is_split_at_the_first_slash(make: Make, world: World):
    world.lists["openrouter"] = [ListedModel("x-ai/grok-4")]
    models = make(base_provider("environment", "openrouter", "openrouter", api_key="k"))
    await models.refresh_due()
    assert (await models.resolve(ME, "openrouter/x-ai/grok-4")).model == "x-ai/grok-4"


async def test_a_model_the_provider_does_not_list_is_unknown_and_its_neighbours_are_named(make: Make):
    models = make(OPENAI)
    await models.refresh_due()
    with pytest.raises(
        UnknownModel, match=r"provider openai does not serve it.*Nearest: openai/gpt-5-mini"
    ) as caught:
        await models.resolve(ME, "openai/gpt-5-mni")
    assert caught.value.status == 404
    assert caught.value.detail.startswith("NOT_FOUND: ")


async def test_a_model_added_to_a_server_meanwhile_is_found_without_a_restart(make: Make, world: World):
    models = make(OPENAI)
    await models.refresh_due()
    known = models.listings.of(OPENAI)
    models.listings.learn({OPENAI.id: Listing(known.models, now() + timedelta(seconds=1))})
    world.lists["openai"] = [ListedModel("new-model")]
    with pytest.raises(UnknownModel):  # asked a moment ago: not again
        await models.resolve(ME, "openai/new-model")
    models.listings._held[OPENAI.id] = Listing(known.models, now() - timedelta(minutes=1))
    assert (await models.resolve(ME, "openai/new-model")).model == "new-model"


async def test_an_unknown_provider_is_unknown_and_the_first_one_is_explained(make: Make):
    with pytest.raises(UnknownModel, match=r"no provider is named 'openai'.*OPENAI_API_KEY"):
        await make().resolve(ME, "openai/gpt-5-mini")
    with pytest.raises(UnknownModel, match="no provider is named 'opnai'"):
        await make(OPENAI).resolve(ME, "opnai/gpt-5-mini")


async def test_a_handle_without_a_slash_is_a_bad_request(make: Make):
    with pytest.raises(InvalidArgument):
        await make().resolve(ME, "gpt-5-mini")


@pytest.mark.parametrize("answer", [(), ModelUnavailable("down")], ids=["empty", "dead"])
async def test_any_model_is_taken_on_trust_while_the_list_is_not_known(make: Make, world: World, answer):
    world.lists["openai"] = answer
    models = make(OPENAI)
    assert (await models.resolve(ME, "openai/whatever")).model == "whatever"
    await models.refresh_due()
    assert (await models.resolve(ME, "openai/whatever")).model == "whatever"


async def test_configured_handles_stand_for_others(make: Make):
    models = make(
        OPENAI, settings=CatalogSettings(detect=False, handles={"letta/letta-free": "openai/gpt-5-mini"})
    )
    found = await models.resolve(ME, "letta/letta-free")
    assert (found.handle, found.model, found.provider_name) == ("letta/letta-free", "gpt-5-mini", "openai")


async def test_dated_names_of_older_clients_are_accepted(make: Make):
    anthropic = base_provider("environment", "anthropic", "anthropic", api_key="k")
    found = await make(anthropic).resolve(ME, "anthropic/claude-3-5-sonnet")
    assert found.model == "claude-3-5-sonnet-20241022"


async def test_openai_proxy_means_the_one_compatible_server(make: Make):
    lab = base_provider("config", "lab", "openai", base_url="http://lab/v1")
    found = await make(OPENAI, lab).resolve(ME, "openai-proxy/llama")
    assert (found.provider_name, found.model) == ("lab", "llama")
    with pytest.raises(UnknownModel):
        await make(OPENAI).resolve(ME, "openai-proxy/llama")
    den = base_provider("config", "den", "openai", base_url="http://den/v1")
    with pytest.raises(InvalidArgument, match="den/llama, lab/llama"):
        await make(lab, den).resolve(ME, "openai-proxy/llama")


async def test_an_organization_s_provider_is_used_with_its_own_opened_key(
    make: Make, database: Database, world: World
):
    models = make()
    row = await add(models, database, "mine", api_key="sk-mine", base_url="http://mine/v1")
    assert row.api_key is not None
    assert "sk-mine" not in row.api_key
    found = await models.resolve(ME, "mine/some-model")
    assert (found.provider_category, found.endpoint_url) == ("byok", "http://mine/v1")
    assert world.opened[0].api_key == "sk-mine"
    other = Actor(new_id("org"))
    with pytest.raises(UnknownModel):
        await models.resolve(other, "mine/some-model")


async def test_a_client_is_opened_once_and_again_only_after_a_change(
    make: Make, database: Database, world: World
):
    models = make()
    row = await add(models, database, "mine", api_key="one")
    first = await models.resolve(ME, "mine/a")
    assert (await models.resolve(ME, "mine/b")).client is first.client
    await edit.change(models, database, ME, row.id, ProviderUpdate.model_validate({"api_key": "two"}))
    assert (await models.resolve(ME, "mine/a")).client is not first.client
    assert [endpoint.api_key for endpoint in world.opened] == ["one", "two"]


async def test_a_shadowing_provider_wins_and_its_deletion_uncovers_the_other(make: Make, database: Database):
    models = make(OPENAI)
    row = await add(models, database, "openai", api_key="own", shadow=True)
    assert (await models.resolve(ME, "openai/gpt-5-mini")).provider_category == "byok"
    await edit.remove(models, database, ME, row.id)
    assert (await models.resolve(ME, "openai/gpt-5-mini")).provider_category == "base"


async def test_a_name_of_the_environment_is_only_shadowed_knowingly(make: Make, database: Database):
    models = make(OPENAI)
    with pytest.raises(Conflict, match=r"server's environment.*\"shadow\": true"):
        await add(models, database, "openai", api_key="own")


@pytest.mark.parametrize("origin", ["environment", "config", "detected"])
async def test_a_provider_of_the_server_cannot_be_edited_or_deleted(make: Make, database: Database, origin):
    row = base_provider(origin, "ollama", "ollama")
    models = make(row)
    assert await edit.find(models, database, ME, row.id) == row
    with pytest.raises(Conflict, match=r"Provider 'ollama' (comes from|was found)"):
        await edit.change(models, database, ME, row.id, ProviderUpdate())
    with pytest.raises(Conflict):
        await edit.remove(models, database, ME, row.id)


async def test_another_server_s_change_is_seen_within_seconds(make: Make, database: Database, monkeypatch):
    models, elsewhere = make(), make()
    with pytest.raises(UnknownModel):
        await models.resolve(ME, "mine/a")
    await add(elsewhere, database, "mine")
    monkeypatch.setattr("perdure.providers.directory.FRESH_NS", 0)
    assert (await models.resolve(ME, "mine/a")).provider_name == "mine"


async def test_lists_answer_from_memory_while_a_provider_hangs(make: Make, world: World):
    models = make(OPENAI)
    await models.refresh_due()
    world.gate = asyncio.Event()
    asking = asyncio.create_task(models.listings.refresh(OPENAI))
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        handles = [entry.handle for entry in await models.entries(ME)]
    assert handles == ["openai/gpt-5-mini", "openai/text-embedding-3-small", "demo/offline"]
    world.gate.set()
    await asking


async def test_a_dead_provider_keeps_its_last_list_and_shows_its_error(make: Make, world: World):
    models = make(OPENAI)
    await models.refresh_due()
    world.lists["openai"] = ModelUnavailable("openai: connection refused")
    with pytest.raises(ModelUnavailable):
        await models.listings.refresh(OPENAI)
    state = models.listings.of(OPENAI)
    assert state.error == "openai: connection refused"
    assert state.failed_at is not None
    assert "gpt-5-mini" in state.names
    assert len(await models.entries(ME)) == 3


async def test_a_list_survives_a_restart(make: Make, world: World):
    await make(OPENAI).refresh_due()
    asked = len(world.asked)
    again = make(OPENAI)
    assert "openai/gpt-5-mini" in [entry.handle for entry in await again.entries(ME)]
    assert len(world.asked) == asked


@pytest.mark.parametrize("answer", [KeyError("id"), TypeError("x"), AttributeError("y")])
async def test_an_unreadable_list_is_the_provider_s_fault(make: Make, world: World, answer):
    world.lists["openai"] = answer
    models = make(OPENAI)
    with pytest.raises(ModelUnavailable, match="no list of models"):
        await models.listings.refresh(OPENAI)


async def test_a_provider_that_takes_too_long_is_given_up(make: Make, world: World):
    world.gate = asyncio.Event()
    models = make(OPENAI, settings=CatalogSettings(detect=False, list_timeout=0.05))
    await models.refresh_due()
    assert "within 0.05 seconds" in (models.listings.of(OPENAI).error or "")


async def test_simultaneous_questions_are_one(make: Make, world: World):
    world.gate = asyncio.Event()
    models = make(OPENAI)
    asking = [asyncio.create_task(models.listings.refresh(OPENAI)) for _ in range(5)]
    await asyncio.sleep(0.01)
    asking.pop().cancel()
    world.gate.set()
    assert len({len(listing.models) for listing in await asyncio.gather(*asking)}) == 1
    assert len(world.asked) == 1


async def test_the_answer_about_a_deleted_provider_does_not_count(
    make: Make, database: Database, world: World
):
    models = make()
    row = await add(models, database, "mine")
    world.gate, world.lists["mine"] = asyncio.Event(), [ListedModel("late")]
    asking = asyncio.create_task(models.listings.refresh(row))
    await asyncio.sleep(0.01)
    await edit.remove(models, database, ME, row.id)
    world.gate.set()
    await asking
    assert models.listings.of(row) == Listing()
    assert await database.read(store.listings, ME) == {}


async def test_lists_are_kept_fresh_in_the_background(make: Make, database: Database, world: World):
    other = Actor(new_id("org"))
    await database.write(ensure_organization, other.organization_id, "other")
    models = make(OPENAI, settings=CatalogSettings(detect=False, refresh_seconds=0.05))
    await models.start()
    await models.providers(other)
    async with asyncio.timeout(5):
        await world.third.wait()
    await models.close()


async def test_a_failed_list_is_asked_for_again_sooner(make: Make, world: World):
    world.lists["openai"] = ModelUnavailable("down")
    models = make(OPENAI)
    await models.refresh_due()
    await models.refresh_due()
    assert len(world.asked) == 1
    models.listings._held[OPENAI.id] = Listing(error="down", failed_at=now() - timedelta(seconds=61))
    await models.refresh_due()
    assert len(world.asked) == 2


async def test_servers_on_this_machine_appear_by_themselves(make: Make, world: World, monkeypatch):
    async def found(known: Iterable[ProviderRow]) -> list[ProviderRow]:
        return [base_provider("detected", "ollama", "ollama", base_url="http://127.0.0.1:11434")]

    monkeypatch.setattr("perdure.providers.catalog.detect", found)
    world.lists["ollama"] = [ListedModel("qwen3:8b")]
    models = make(settings=CatalogSettings(detect=True))
    assert await models.default_handle(ME) == "demo/offline"
    await models.refresh_due()
    assert (await models.resolve(ME, "ollama/qwen3:8b")).provider_type == "ollama"
    assert await models.default_handle(ME) == "ollama/qwen3:8b"


async def test_an_embedding_model_is_resolved_with_its_dimensions(make: Make):
    models = make(OPENAI)
    await models.refresh_due()
    found = await models.resolve_embedding(ME, "openai/text-embedding-3-small")
    assert (found.dimensions, found.endpoint.api_key, found.model) == (
        1536,
        "sk-env",
        "text-embedding-3-small",
    )


@pytest.mark.parametrize("handle", ["openai/text-embedding-3-smal", "nobody/text-embedding-3-small"])
async def test_an_unknown_embedding_model_is_a_bad_request_with_neighbours(make: Make, handle):
    models = make(OPENAI)
    await models.refresh_due()
    with pytest.raises(UnknownEmbedding, match="Nearest: openai/text-embedding-3-small") as caught:
        await models.resolve_embedding(ME, handle)
    assert caught.value.status == 400


async def test_the_background_goes_on_when_the_database_is_away(
    make: Make, world: World, monkeypatch, caplog
):
    models = make(OPENAI, settings=CatalogSettings(detect=False, refresh_seconds=0.01))
    refresh, failures = models.refresh_due, [OSError("no database"), OSError("still none")]

    async def refresh_due() -> None:
        if failures:
            raise failures.pop()
        await refresh()
        world.third.set()

    monkeypatch.setattr(models, "refresh_due", refresh_due)
    await models.start()
    async with asyncio.timeout(5):
        await world.third.wait()
    assert "could not be refreshed" in caplog.text


async def test_many_views_at_once_are_read_once(make: Make, database: Database, monkeypatch):
    models = make(OPENAI)
    read, reads = database.read, []

    async def counted(work: Any, *args: Any) -> Any:
        reads.append(work)
        await asyncio.sleep(0.01)
        return await read(work, *args)

    monkeypatch.setattr(database, "read", counted)
    await asyncio.gather(*(models.providers(ME) for _ in range(20)))
    assert len(reads) == 1
    old = asyncio.create_task(models.providers(Actor(new_id("org"))))
    await asyncio.sleep(0)
    models.forget()
    await old
    assert len(models.directory.actors()) == 1  # what was read before the write is not kept


async def test_a_warm_resolve_costs_next_to_nothing(make: Make):
    models = make(OPENAI)
    await models.resolve(ME, "openai/gpt-5-mini")
    begun = time.perf_counter()
    for _ in range(1000):
        await models.resolve(ME, "openai/gpt-5-mini")
    assert (time.perf_counter() - begun) / 1000 < 200e-6  # some 2 µs on a quiet machine


def listing(*names: str, error: str | None = None) -> Listing:
    return Listing(tuple(ListedModel(name) for name in names), now(), error, now() if error else None)


def test_the_default_is_the_best_model_of_the_first_provider_that_works():
    local = base_provider("detected", "ollama", "ollama")
    own = ProviderRow("provider-own", "own", "anthropic", organization_id="org")
    lists = {
        OPENAI.id: listing("gpt-4o", "gpt-5-mini-2025-08-07", "gpt-5-mini"),
        local.id: listing("qwen3"),
        own.id: listing("claude-haiku-4-5", "claude-sonnet-4-5-20250929"),
    }
    assert default_model([local, OPENAI, own], lists) == "own/claude-sonnet-4-5-20250929"
    assert default_model([local, OPENAI], lists) == "openai/gpt-5-mini"
    assert default_model([local], lists) == "ollama/qwen3"


def test_a_provider_that_is_down_or_empty_is_no_default():
    local = base_provider("detected", "ollama", "ollama")
    lists = {OPENAI.id: listing("gpt-5-mini", error="no key"), local.id: listing()}
    assert default_model([OPENAI, local], lists) is None


def test_a_key_is_believed_before_its_first_list():
    assert default_model([OPENAI], {}) == "openai/gpt-5-mini"
    assert default_model([base_provider("config", "lab", "vllm")], {}) is None


async def test_the_setting_decides_the_default(make: Make):
    models = make(OPENAI, settings=CatalogSettings(detect=False, default="lab/x"))
    assert await models.default_handle(ME) == "lab/x"
