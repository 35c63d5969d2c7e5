"""Providers and model lists, stored on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.errors import Conflict
from perdure.kit.ids import new_id
from perdure.kit.paging import Page
from perdure.providers import store
from perdure.providers.endpoint import ListedModel
from perdure.providers.environment import base_provider
from perdure.providers.store import Listing, ProviderNotFound
from perdure.providers.tables import ProviderRow, model_lists
from perdure.tenancy.actor import DEFAULT_ORGANIZATION, Actor
from perdure.tenancy.store import ensure_organization

ME = Actor()
OTHER = Actor(new_id("org"))
ENVIRONMENT = [base_provider("environment", name, name) for name in ("openai", "anthropic", "groq")]


def row(name: str, organization: str = DEFAULT_ORGANIZATION) -> ProviderRow:
    return ProviderRow(new_id("provider"), name, "openai", organization_id=organization, base_url="http://x")


async def test_a_provider_comes_back_as_it_was_stored(database: Database):
    made = await database.write(store.create, row("mine"))
    assert made.created_at == made.updated_at is not None
    assert await database.read(store.get, ME, made.id) == made
    assert made.origin == "api"


async def test_a_name_is_taken_once_in_an_organization(database: Database):
    await database.write(ensure_organization, OTHER.organization_id, "other")
    made = await database.write(store.create, row("mine"))
    with pytest.raises(Conflict, match="'mine' exists already"):
        await database.write(store.create, row("mine"))
    await database.write(store.create, row("mine", OTHER.organization_id))
    await database.write(store.remove, ME, made.id)
    again = await database.write(store.create, row("mine"))
    assert again.id != made.id


async def test_another_organization_s_provider_does_not_exist(database: Database):
    made = await database.write(store.create, row("mine"))
    for work, *rest in ((store.get,), (store.change, {"region": "x"}), (store.remove,)):
        with pytest.raises(ProviderNotFound):
            await database.write(work, OTHER, made.id, *rest)
    assert await database.read(store.all_of, OTHER) == []


async def test_a_change_moves_the_time_of_change(database: Database):
    made = await database.write(store.create, row("mine"))
    changed = await database.write(store.change, ME, made.id, {"base_url": None, "region": "eu"})
    assert (changed.base_url, changed.region) == (None, "eu")
    assert changed.updated_at is not None
    assert made.updated_at is not None
    assert changed.updated_at > made.updated_at


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_paging_visits_stored_and_environment_providers_exactly_once(database: Database, order):
    stored = [await database.write(store.create, row(f"p{number}")) for number in range(3)]
    seen: list[str] = []
    page = Page(limit=2, order=order)
    while found := await database.read(store.page_of, ME, page, ENVIRONMENT):
        seen += [one.name for one in found]
        page = replace(page, after=found[-1].id)
    assert len(seen) == 6
    assert set(seen) == {one.name for one in [*stored, *ENVIRONMENT]}
    own = [name for name in seen if name.startswith("p")]
    assert own == (["p0", "p1", "p2"] if order == "asc" else ["p2", "p1", "p0"])


async def test_the_list_can_be_filtered_and_works_without_an_environment(database: Database):
    await database.write(store.create, row("mine"))
    assert [one.name for one in await database.read(store.page_of, ME, Page())] == ["mine"]
    named = await database.read(store.page_of, ME, Page(), ENVIRONMENT, name="groq")
    assert [one.origin for one in named] == ["environment"]
    typed = await database.read(store.page_of, ME, Page(), ENVIRONMENT, provider_type="openai")
    assert {one.name for one in typed} == {"mine", "openai"}


SEEING = ListedModel("a", "llm", 10, 5, input_modalities=("text", "image"))
LISTING = Listing((SEEING, ListedModel("b", "embedding", dimensions=3)), now())


async def test_a_model_list_survives(database: Database):
    made = await database.write(store.create, row("mine"))
    for provider in (made, ENVIRONMENT[0]):
        await database.write(store.save_listing, provider, LISTING)
        await database.write(store.save_listing, provider, replace(LISTING, error="down", failed_at=now()))
    kept = await database.read(store.listings, ME)
    assert kept[made.id].models == LISTING.models
    assert kept[ENVIRONMENT[0].id].error == "down"
    assert kept[made.id].names == {"a", "b"}


async def test_a_model_list_of_an_older_version_is_read(database: Database):
    await database.write(store.save_listing, ENVIRONMENT[0], LISTING)
    older = [{"name": "a", "kind": "llm", "context_window": 10}, {"name": "b", "kind": "llm", "gone": 1}]
    await database.write(lambda conn: conn.execute(update(model_lists).values(models=older)) and None)
    kept = await database.read(store.listings, ME)
    assert kept[ENVIRONMENT[0].id].models == (ListedModel("a", context_window=10), ListedModel("b"))


async def test_other_organizations_see_only_the_lists_of_the_environment(database: Database):
    made = await database.write(store.create, row("mine"))
    await database.write(store.save_listing, made, LISTING)
    await database.write(store.save_listing, ENVIRONMENT[0], LISTING)
    assert set(await database.read(store.listings, OTHER)) == {ENVIRONMENT[0].id}


async def test_a_deleted_provider_keeps_no_list_and_gets_none(database: Database):
    made = await database.write(store.create, row("mine"))
    await database.write(store.save_listing, made, LISTING)
    await database.write(store.remove, ME, made.id)
    await database.write(store.save_listing, made, LISTING)
    assert await database.read(store.listings, ME) == {}
