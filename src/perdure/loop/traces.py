"""Raw exchanges with providers, kept for debugging: written in the background, never waited for."""

import asyncio
import logging
import zlib
from collections.abc import Sequence

from perdure.db import Database
from perdure.providers.base import Exchange
from perdure.runs import store
from perdure.runs.store import StepRow, TraceRow

log = logging.getLogger(__name__)

MAX_WAITING = 1000
PAUSE = 0.1  # seconds: traces share a transaction, and keep out of the way of the turns that made them


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
            waiting = [await self._queue.get()]
            await asyncio.sleep(PAUSE)
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            try:
                lost = await self.db.write(store.save_traces, await asyncio.to_thread(_packed, waiting))
                if lost:
                    log.warning("traces could not be stored: their steps are gone", extra={"step_ids": lost})
            except Exception:
                log.warning("traces could not be stored", exc_info=True, extra={"traces": len(waiting)})
            finally:
                for _ in waiting:
                    self._queue.task_done()


def _packed(waiting: Sequence[tuple[StepRow, Exchange]]) -> list[TraceRow]:
    return [
        TraceRow(
            organization_id=step.organization_id,
            step_id=step.id,
            url=exchange.url,
            status=exchange.status,
            request=zlib.compress(exchange.request, 1),
            response=zlib.compress(bytes(exchange.response), 1),
        )
        for step, exchange in waiting
    ]
