"""Both databases with the tables of tenancy alone."""

import os

import pytest

from perdure.db import connect
from perdure.db.schema import metadata
from perdure.tenancy import store
from perdure.tenancy.tables import api_keys, organizations, users
from perdure.testing.postgres import create_database, drop_database, start_postgres

TABLES = [organizations, users, api_keys]


@pytest.fixture(scope="session")
def postgres_server():
    if url := os.environ.get("PERDURE_TEST_DATABASE_URL"):  # noqa: TID251
        yield url
        return
    server = start_postgres()
    if server is None:
        pytest.skip("no Postgres here")
    yield server.url
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request, tmp_path):
    """An empty database with the default organization."""
    if request.param == "sqlite":
        url, server = f"sqlite:///{tmp_path}/test.db", None
    else:
        server = request.getfixturevalue("postgres_server")
        url = await create_database(server)
    db = connect(url)
    await db.write(lambda conn: metadata.create_all(conn, TABLES))
    await db.write(store.ensure_defaults)
    yield db
    await db.close()
    if server:
        await drop_database(server, url)
