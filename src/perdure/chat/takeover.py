"""Finds runs whose process is gone, and goes on with them."""

import asyncio
import logging
from collections.abc import Iterable

from perdure.chat.worker import Worker
from perdure.runs.leases import Taken

log = logging.getLogger(__name__)


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
        self._task = asyncio.create_task(self._watch(), name="takeover")

    async def close(self) -> None:
        """Stop looking."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._worker.env.lease.seconds / 3)
            try:
                await self._worker.take_over()
            except Exception:
                log.warning("could not look for interrupted runs; trying again", exc_info=True)
