"""Organizations, users and keys, stored on both databases."""

from datetime import timedelta

import pytest

from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.kit.ids import is_id
from perdure.kit.paging import Page
from perdure.tenancy import keys, store
from perdure.tenancy.actor import DEFAULT_ORGANIZATION, DEFAULT_USER, Actor
from perdure.tenancy.keyring import KeyRing

RING = KeyRing([b"k" * 32])


async def test_defaults_are_made_once(database):
    await database.write(store.ensure_defaults)
    organization = await database.read(store.get_organization, DEFAULT_ORGANIZATION)
    await database.write(store.update_organization, DEFAULT_ORGANIZATION, name="Ours")
    await database.write(store.ensure_defaults)
    kept = await database.read(store.get_organization, DEFAULT_ORGANIZATION)
    assert (kept.name, kept.created_at) == ("Ours", organization.created_at)
    assert (await database.read(store.get_user, DEFAULT_USER)).organization_id == DEFAULT_ORGANIZATION


async def test_an_organization_lives_and_dies_with_its_users_and_keys(database):
    organization = await database.write(store.create_organization, "Acme", privileged_tools=True)
    assert is_id("org", organization.id)
    user = await database.write(store.create_user, organization.id, "Ada")
    row, _ = await database.write(
        keys.create_key, RING, "ci", organization_id=organization.id, user_id=user.id
    )
    renamed = await database.write(store.update_organization, organization.id, name="Acme 2")
    assert (renamed.name, renamed.privileged_tools) == ("Acme 2", True)
    assert renamed.updated_at > organization.updated_at
    assert (await database.write(store.delete_organization, organization.id)).id == organization.id
    with pytest.raises(NotFound, match=user.id):
        await database.read(store.get_user, user.id)
    assert await database.read(keys.list_keys) == []
    assert row.actor == Actor(organization.id, user.id)


async def test_what_is_not_there_is_not_found(database):
    organization, user = "org-" + DEFAULT_USER[5:-1] + "9", DEFAULT_USER[:-1] + "9"
    for work, *arguments in (
        (store.update_organization, organization),
        (store.delete_organization, organization),
        (store.create_user, organization, "Ada"),
        (store.update_user, user),
        (store.delete_user, user),
    ):
        with pytest.raises(NotFound):
            await database.write(work, *arguments)


async def test_the_defaults_cannot_be_deleted(database):
    with pytest.raises(Conflict):
        await database.write(store.delete_organization, DEFAULT_ORGANIZATION)
    with pytest.raises(Conflict):
        await database.write(store.delete_user, DEFAULT_USER)


async def test_lists_are_paged_oldest_first(database):
    made = [(await database.write(store.create_organization)).id for _ in range(3)]
    first = await database.read(store.list_organizations, Page(limit=2, order="asc"))
    rest = await database.read(store.list_organizations, Page(limit=5, order="asc", after=first[-1].id))
    assert [row.id for row in [*first, *rest]] == [DEFAULT_ORGANIZATION, *made]
    assert [row.id for row in await database.read(store.list_users, Page())] == [DEFAULT_USER]


async def test_a_user_that_moves_leaves_its_keys_behind(database):
    old = await database.write(store.create_organization)
    new = await database.write(store.create_organization)
    user = await database.write(store.create_user, old.id, "Ada")
    await database.write(keys.create_key, RING, "ci", organization_id=old.id, user_id=user.id)
    moved = await database.write(store.update_user, user.id, organization_id=new.id)
    assert moved.organization_id == new.id
    assert await database.read(keys.list_keys) == []


async def test_a_key_is_known_by_its_digest_alone(database):
    row, key = await database.write(keys.create_key, RING, "ci")
    assert key.startswith(row.prefix + "_")
    assert len(key) - len(row.prefix) > 43
    [stored] = await database.read(keys.list_keys)
    assert stored == row
    assert key not in repr(stored)
    found = await database.read(keys.find_key, key)
    assert found is not None
    assert keys.is_right(RING, found, key)
    assert not keys.is_right(RING, found, key[:-1] + "~")
    assert await database.read(keys.find_key, "perdure_0_x") is None


async def test_a_key_may_expire(database):
    row, key = await database.write(keys.create_key, RING, "old", expires_at=now() - timedelta(seconds=1))
    assert not keys.is_right(RING, row, key)
    row, key = await database.write(keys.create_key, RING, "new", expires_at=now() + timedelta(days=1))
    assert keys.is_right(RING, row, key)


async def test_a_key_outlives_the_rotation_of_the_ring(database):
    row, key = await database.write(keys.create_key, RING, "ci")
    assert keys.is_right(KeyRing([b"n" * 32, b"k" * 32]), row, key)


async def test_names_of_keys_are_unique_within_an_organization(database):
    other = await database.write(store.create_organization)
    await database.write(keys.create_key, RING, "ci")
    await database.write(keys.create_key, RING, "ci", organization_id=other.id)
    with pytest.raises(Conflict, match="'ci' exists"):
        await database.write(keys.create_key, RING, "ci")
    with pytest.raises(Conflict, match="give its id or prefix"):
        await database.write(keys.revoke_key, "ci")
    await database.write(keys.revoke_key, "ci", other.id)
    assert await database.read(keys.any_key)
    await database.write(keys.revoke_key, "ci")
    assert not await database.read(keys.any_key)
    with pytest.raises(NotFound, match="perdure keys list"):
        await database.write(keys.revoke_key, "ci")


async def test_a_key_cannot_speak_for_another_organizations_user(database):
    other = await database.write(store.create_organization)
    with pytest.raises(Conflict, match="another organization"):
        await database.write(keys.create_key, RING, "ci", organization_id=other.id, user_id=DEFAULT_USER)
