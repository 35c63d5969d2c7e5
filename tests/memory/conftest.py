"""Agents for memory tools: a database for all tests, an organization for each."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.conftest import DIALECTS, new_database_url
from tests.memory.mind import Mind, new_agent

from perdure.db import Database, connect
from perdure.memory.tools import TOOLS
from perdure.server.tables import metadata
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization
from perdure.tools.dispatch import Dispatcher
from perdure.tools.store import sync_builtins


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
    """Somebody of a new organization, which has the memory tools."""

    def work(conn):
        organization = create_organization(conn).id
        sync_builtins(conn, organization, TOOLS)
        return organization

    return Actor(await shared_database.write(work))


@pytest.fixture
async def mind(shared_database: Database, actor: Actor) -> Mind:
    """An agent without blocks."""
    return Mind(shared_database, actor, await new_agent(shared_database, actor), Dispatcher(TOOLS))
