"""An organization with an agent for each test of runs."""

import pytest
from tests.memory.mind import new_agent
from tests.runs.rows import MINE, run_of, step_of

from perdure.db import Database
from perdure.messages import store as messages
from perdure.runs import leases, store
from perdure.runs.store import RunRow
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


@pytest.fixture
def db(shared_database: Database) -> Database:
    """The one that tests share, parted by organization."""
    return shared_database


@pytest.fixture
async def run(db: Database, actor: Actor, agent_id: str) -> RunRow:
    """A run at work under my lease, with a step."""
    made = run_of(actor, agent_id)
    await db.write(leases.claim, made, MINE)
    await db.write(store.insert_step, step_of(made))
    return made
