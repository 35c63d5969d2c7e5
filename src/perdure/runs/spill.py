"""Brings the frames of durable runs to the database while the runs work, and forgets them in the end."""

import asyncio
import logging
from datetime import timedelta

from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.repeat import repeat
from perdure.runs.frames import Batch, outlived, prune, spill
from perdure.runs.live import LiveRun

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.05
RETRY_SECONDS = 1.0
PRUNE_SECONDS = 600.0
NOT_PRUNED = "old frames could not be removed"
FOUND_AT_ONCE = 50


class Spill:
    """All durable runs at work here: one transaction brings what is new of all of them.

    What a save point stores with its own transaction is left out here, and only announced.
    """

    def __init__(self, db: Database, owner: str, keep: timedelta):
        self.db = db
        self.owner = owner
        self.keep = keep
        self._runs: dict[str, LiveRun] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin storing and pruning."""
        self._tasks = [
            asyncio.create_task(self._flush_often(), name="spill"),
            asyncio.create_task(repeat(PRUNE_SECONDS, self.prune, NOT_PRUNED), name="prune-frames"),
        ]

    async def close(self) -> None:
        """Store what is new for the last time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.flush()
        except Exception:
            log.warning("the last frames could not be stored", exc_info=True)

    def add(self, live: LiveRun) -> None:
        """Look after the frames of a run until it is done."""
        self._runs[live.run_id] = live
        live.on_news = self._news.set

    async def flush(self) -> bool:
        """Store and announce what is new; whether something is left to do."""
        runs = list(self._runs.values())
        ended = [run for run in runs if run.done]
        new = {run: rows for run in runs if (rows := run.unstored())}
        saved = {run: run.stored for run in runs if run.stored > run.announced}
        if new or saved:
            batches = [Batch(run.run_id, run.attempt, rows) for run, rows in new.items()]
            written = await self.db.write(spill, self.owner, batches, [run.run_id for run in saved])
            for run, seq in saved.items():
                run.announced = seq
            for run, rows in new.items():
                if run.run_id in written:
                    run.announced = rows[-1].seq
                    run.mark_stored(rows[-1].seq)
        for run in ended:
            if self._runs.get(run.run_id) is run:
                del self._runs[run.run_id]
        return any(run.unstored() for run in self._runs.values())

    async def _flush_often(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if await self.flush():
                    self._news.set()
            except Exception:
                log.warning("frames could not be stored; trying again", exc_info=True)
                self._news.set()
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(FLUSH_SECONDS)

    async def prune(self) -> None:
        """Forget the frames of runs that ended long ago."""
        while ids := await self.db.read(outlived, now() - self.keep, FOUND_AT_ONCE):
            for run_id in ids:
                await self.db.write(prune, run_id)
