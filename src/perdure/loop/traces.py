"""Raw exchanges with providers, kept for debugging: written in the background, never waited for."""

import asyncio
import logging
import zlib

from perdure.db import Database
from perdure.providers.base import Exchange
from perdure.runs import store
from perdure.runs.store import StepRow

log = logging.getLogger(__name__)

MAX_WAITING = 1000


class TraceLog:
    """A queue of exchanges and the task that stores them. A full queue drops the newest, and says so."""

    def __init__(self, db: Database):
        self.db = db
        self._queue: asyncio.Queue[tuple[StepRow, Exchange]] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin storing."""
        self._task = asyncio.create_task(self._store_all(), name="trace-log")

    async def close(self) -> None:
        """Store what waits, then stop."""
        await self._queue.join()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def add(self, step: StepRow, exchange: Exchange) -> None:
        """Queue the exchange of a step whose row exists by the time it is stored."""
        if not exchange.request:
            return
        try:
            self._queue.put_nowait((step, exchange))
        except asyncio.QueueFull:
            log.warning("too many traces waiting; this one is dropped", extra={"step_id": step.id})

    async def _store_all(self) -> None:
        while True:
            step, exchange = await self._queue.get()
            try:
                await self._store(step, exchange)
            except Exception:
                log.warning("a trace could not be stored", exc_info=True, extra={"step_id": step.id})
            finally:
                self._queue.task_done()

    async def _store(self, step: StepRow, exchange: Exchange) -> None:
        request, response = await asyncio.to_thread(
            lambda: (zlib.compress(exchange.request, 1), zlib.compress(bytes(exchange.response), 1))
        )
        await self.db.write(
            store.save_trace,
            step.organization_id,
            step.id,
            url=exchange.url,
            status=exchange.status,
            request=request,
            response=response,
        )
