"""A live server for each database, a fresh organization for each test."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from letta_client import DefaultHttpxClient, Letta

from perdure.config import Settings
from perdure.db import Database, connect
from perdure.providers.settings import CatalogSettings
from perdure.server.tables import metadata
from perdure.tenancy.store import ensure_defaults
from perdure.testing.live import LiveServer, serve
from perdure.testing.postgres import create_database, drop_database, start_postgres
from perdure.testing.scripted import ScriptedModel

DIALECTS = ("sqlite", "postgres")
ADMIN_KEY = "test-admin-key"
TRUSTED = httpx.create_ssl_context()  # a client that makes its own takes 20 ms of processor for that


def pytest_configure(config: pytest.Config) -> None:
    """One throw-away Postgres for all workers, unless the environment names one."""
    if "PERDURE_TEST_DATABASE_URL" in os.environ or hasattr(config, "workerinput"):
        return
    server = start_postgres()
    if server:
        os.environ["PERDURE_TEST_DATABASE_URL"] = server.url
        config.add_cleanup(lambda: os.environ.pop("PERDURE_TEST_DATABASE_URL", None))
        config.add_cleanup(server.stop)


def new_database_url(dialect: str, folder: Path) -> tuple[str, Any]:
    """The URL of an empty database of its own, and what removes it."""
    if dialect == "sqlite":
        return f"sqlite:///{folder / uuid.uuid4().hex}.db", lambda: None
    server = os.environ.get("PERDURE_TEST_DATABASE_URL")
    if server is None:
        pytest.skip("no Postgres here: set PERDURE_TEST_DATABASE_URL")
    url = asyncio.run(create_database(server))
    return url, lambda: asyncio.run(drop_database(server, url))


async def _prepare(url: str) -> None:
    db = connect(url)
    await db.write(metadata.create_all)
    await db.write(ensure_defaults)
    await db.close()


@pytest.fixture(scope="session")
async def template() -> AsyncIterator[str]:
    """A Postgres database with all tables and the default organization, to copy."""
    url, remove = await asyncio.to_thread(new_database_url, "postgres", Path())
    await _prepare(url)
    yield url
    await asyncio.to_thread(remove)


@pytest.fixture(params=DIALECTS)
def copied(request: pytest.FixtureRequest) -> str | None:
    """What a test's own database is a copy of; an async fixture could not ask for it."""
    return None if request.param == "sqlite" else request.getfixturevalue("template")


@pytest.fixture
async def database(copied: str | None, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of the test's own with all tables and the default organization."""
    if copied is None:
        url, server = f"sqlite:///{tmp_path / 'test.db'}", None
        await _prepare(url)
    else:
        server = os.environ["PERDURE_TEST_DATABASE_URL"]
        url = await create_database(server, copied)
    db = connect(url)
    yield db
    await db.close()
    if server:
        await drop_database(server, url)


@pytest.fixture(scope="session", params=DIALECTS)
async def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    """One database for all tests that part by organization."""
    url, remove = await asyncio.to_thread(new_database_url, request.param, tmp_path_factory.mktemp("shared"))
    await _prepare(url)
    db = connect(url)
    yield db
    await db.close()
    await asyncio.to_thread(remove)


@pytest.fixture(scope="session", params=DIALECTS)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server per database for the whole session; tests part by organization."""
    home = tmp_path_factory.mktemp(f"home-{request.param}")
    url, remove = new_database_url(request.param, home)
    settings = Settings.model_validate(
        {
            "home": home,
            "api_key": ADMIN_KEY,
            "database": {"url": url},
            "models": CatalogSettings(detect=False),
            "streams": {"ping_seconds": 0.2},
            "outbound": {"networks": ["127.0.0.0/8"], "seconds": 5},
            "runs": {"callback_tries": 3, "callback_pause_seconds": 0.02, "approval_hours": 1},
        }
    )
    yield from serve(settings, ScriptedModel())
    remove()


@pytest.fixture
def scripted(live: LiveServer) -> ScriptedModel:
    """The live server's model; script it under a name of your own (`scripted.script(name, …)`)."""
    return live.scripted


@pytest.fixture
def admin(live: LiveServer) -> Iterator[httpx.Client]:
    """Plain HTTP as the server's administrator."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with httpx.Client(base_url=live.url, headers=headers, timeout=30, verify=TRUSTED) as http:
        yield http


@pytest.fixture
def new_key(live: LiveServer) -> Any:
    """A function that makes an organization of its own and a key for it."""
    from perdure.tenancy import keys
    from perdure.tenancy.store import ensure_organization

    def make(name: str = "test") -> str:
        organization = f"org-{uuid.uuid4()}"
        live.run(ensure_organization, organization, f"{name}-{organization}", write=True)

        def create(conn: Any) -> str:
            return keys.create_key(conn, live.app.state.keyring, name, organization_id=organization)[1]

        return live.run(create, write=True)

    return make


@pytest.fixture
def api_key(new_key: Any) -> str:
    """The key of an organization nobody else uses."""
    return new_key()


def official(url: str, key: str | None = None, timeout: float = 30) -> Letta:
    """An official client."""
    http = DefaultHttpxClient(verify=TRUSTED)
    return Letta(base_url=url, api_key=key, max_retries=0, timeout=timeout, http_client=http)


@pytest.fixture
def client(live: LiveServer, api_key: str) -> Iterator[Letta]:
    """The official client, in an organization of its own."""
    with official(live.url, api_key) as letta:
        yield letta


@pytest.fixture
def http(live: LiveServer, api_key: str) -> Iterator[httpx.Client]:
    """Plain HTTP in the same organization as `client`."""
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=live.url, headers=headers, timeout=30, verify=TRUSTED) as plain:
        yield plain


@pytest.fixture
def model_name() -> str:
    """A model name nobody else scripts."""
    return uuid.uuid4().hex
