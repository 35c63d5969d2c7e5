"""A folder for each test."""

import pytest
from letta_client import Letta


@pytest.fixture
def folder_id(client: Letta) -> str:
    return client.folders.create(name="handbook").id
