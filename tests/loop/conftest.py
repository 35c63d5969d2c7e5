"""An organization with an agent for each test of turns."""

import pytest
from tests.memory.mind import new_agent

from perdure.db import Database
from perdure.messages import store as messages
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization


@pytest.fixture
async def actor(shared_database: Database) -> Actor:
    """Somebody of a new organization."""
    return Actor((await shared_database.write(create_organization)).id)


@pytest.fixture
async def agent_id(shared_database: Database, actor: Actor) -> str:
    """An agent with a thread of its own."""
    made = await new_agent(shared_database, actor)
    await shared_database.write(messages.open_thread, actor, made, made, "Be kind.", "mark")
    return made
