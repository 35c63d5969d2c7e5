"""A database for all tests of tools, an organization for each."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.conftest import DIALECTS, new_database_url

from perdure.db import Database, connect
from perdure.server.tables import metadata
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization


@pytest.fixture(scope="session", params=DIALECTS)
async def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    """One database for all tests that part by organization."""
    url, remove = await asyncio.to_thread(new_database_url, request.param, tmp_path_factory.mktemp("shared"))
    db = connect(url)
    await db.write(metadata.create_all)
    yield db
    await db.close()
    await asyncio.to_thread(remove)


@pytest.fixture
async def actor(shared_database: Database) -> Actor:
    """Somebody of a new organization."""
    return Actor((await shared_database.write(create_organization)).id)
