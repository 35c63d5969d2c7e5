"""Finds runs whose process is gone, and goes on with them."""

import asyncio
from collections.abc import Iterable

from perdure.chat.worker import Worker
from perdure.kit.repeat import repeat
from perdure.runs.leases import Taken

FAILED = "interrupted runs could not be looked for"


class Takeover:
    """Looks for silent runs as often as leases are renewed."""

    def __init__(self, worker: Worker, found: Iterable[Taken] = ()):
        self._worker = worker
        self._found = found
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with what an earlier life of this server left, then keep looking."""
        for taken in self._found:
            self._worker.go_on(taken)
        look = repeat(self._worker.env.lease.seconds / 3, self._worker.take_over, FAILED)
        self._task = asyncio.create_task(look, name="takeover")

    async def close(self) -> None:
        """Stop looking."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
