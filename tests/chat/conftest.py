"""What tests of requests that meet have in common."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from perdure.testing.scripted import Reply, wait


class Gate:
    """A reply that comes when the test says so."""

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
def pool():
    with ThreadPoolExecutor(8) as made:
        yield made
