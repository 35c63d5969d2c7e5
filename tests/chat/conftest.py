"""What tests of requests that meet have in common."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from perdure.testing.scripted import Reply, wait

PATIENCE = 10.0


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
def pool():
    with ThreadPoolExecutor(8) as made:
        yield made
