"""An organization for each test of tools."""

import pytest

from perdure.db import Database
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization


@pytest.fixture
async def actor(shared_database: Database) -> Actor:
    """Somebody of a new organization."""
    return Actor((await shared_database.write(create_organization)).id)
