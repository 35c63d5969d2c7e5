"""Agents for memory tools, each in an organization of its own."""

import pytest
from tests.memory.mind import Mind, new_agent

from perdure.db import Database
from perdure.memory.tools import TOOLS
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization
from perdure.tools.dispatch import Dispatcher
from perdure.tools.store import sync_builtins


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
