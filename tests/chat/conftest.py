"""What tests of requests that meet have in common."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import LiveServer, new_database_url, serve

from perdure.config import Settings
from perdure.testing.model_server import ModelServer
from perdure.testing.scripted import Reply, ScriptedModel, wait

PATIENCE = 10.0
FORMATS = {
    "chat": ("openai", "gpt-4o-mini"),
    "responses": ("openai", "gpt-5-mini"),
    "anthropic": ("anthropic", "claude-haiku-4-5"),
}


def until(ready: Callable[[], Any]) -> Any:
    """What a function returns once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := ready()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


class Gate:
    """A reply that comes when the test says so: `opened` by the test, `reached` when the model is asked."""

    def __init__(self) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()

    def before(self, reply: Reply) -> Reply:
        return wait(self._wait, reply)

    async def _wait(self) -> None:
        self.reached.set()
        await asyncio.to_thread(self.opened.wait, 20)


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.opened.set()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two servers on one Postgres."""
    url, remove = new_database_url("postgres", tmp_path)
    model = ScriptedModel()
    settings = [
        Settings.model_validate(
            {"home": tmp_path / name, "database": {"url": url}, "models": {"detect": False}}
        )
        for name in ("one", "two")
    ]
    server = contextlib.contextmanager(serve)
    with server(settings[0], model) as one, server(settings[1], model) as two:
        yield one, two
    remove()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as made:
        yield made


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(params=FORMATS)
def handle(request: pytest.FixtureRequest, http: httpx.Client, models: ModelServer) -> str:
    """A model behind one of the wire formats, through a provider made over the API."""
    provider_type, model = FORMATS[request.param]
    name = f"served-{uuid.uuid4().hex[:8]}"
    body = {"name": name, "provider_type": provider_type, "api_key": "secret-1", "base_url": models.url}
    http.post("/v1/providers/", json=body).raise_for_status()
    return f"{name}/{model}"
