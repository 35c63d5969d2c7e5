"""After a rotation every stored secret is sealed with the newest key, and still opens."""

import uuid

import pytest
from sqlalchemy import insert, select

from perdure.kit.clock import now
from perdure.providers.tables import providers
from perdure.tenancy.actor import DEFAULT_ORGANIZATION
from perdure.tenancy.keyring import KeyRing, KeyRingError
from perdure.tenancy.sealed import reseal


def place(row):
    return {"table": "providers", "row": row, "organization": DEFAULT_ORGANIZATION}


def add(conn, ring, key):
    row = f"provider-{uuid.uuid4()}"
    sealed = ring.seal(key, **place(row)) if key else None
    values = {"id": row, "name": row, "provider_type": "openai", "api_key": sealed}
    moment = now()
    conn.execute(
        insert(providers).values(
            **values, organization_id=DEFAULT_ORGANIZATION, created_at=moment, updated_at=moment
        )
    )
    return row


def stored(conn, row):
    return conn.scalar(select(providers.c.api_key).where(providers.c.id == row))


async def test_secrets_of_older_keys_are_sealed_again_and_others_left_alone(database):
    old, both = KeyRing([b"o" * 32]), KeyRing([b"n" * 32, b"o" * 32])
    row = await database.write(add, old, "sk-1")
    newer = await database.write(add, both, "sk-2")
    await database.write(add, both, None)
    before = await database.read(stored, newer)
    assert await database.write(reseal, both) == 1
    assert await database.write(reseal, both) == 0
    alone = KeyRing([b"n" * 32])
    assert alone.open(await database.read(stored, row), **place(row)) == "sk-1"
    assert await database.read(stored, newer) == before


async def test_a_secret_whose_key_is_lost_stops_the_rotation_unchanged(database):
    row = await database.write(add, KeyRing([b"x" * 32]), "sk-1")
    before = await database.read(stored, row)
    with pytest.raises(KeyRingError, match=row):
        await database.write(reseal, KeyRing([b"n" * 32]))
    assert await database.read(stored, row) == before
