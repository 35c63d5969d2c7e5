"""Drives runs: one task each, leases kept alive, nothing stopped by a listener that leaves."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from pydantic import BaseModel

from perdure.db import Database
from perdure.runs import store
from perdure.runs.live import LiveRun
from perdure.runs.store import Lease

log = logging.getLogger(__name__)

Frames = AsyncGenerator[tuple[BaseModel, str | None], None]
OnFailure = Callable[[Exception], Awaitable[Frames]]


class Runner:
    """Owns the tasks of all runs of this process and the lease they work under."""

    def __init__(self, db: Database, lease: Lease):
        self.db = db
        self.lease = lease
        self.live: dict[str, LiveRun] = {}
        self._heart: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin renewing leases."""
        self._heart = asyncio.create_task(self._beat(), name="lease-heartbeat")

    async def close(self, patience: float = 5.0) -> None:
        """Let running runs end for a while, then stop them; each notes how it ended."""
        tasks = {run.task for run in self.live.values() if run.task}
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        rest = {task for task in tasks if not task.done()}
        if self._heart:
            rest.add(self._heart)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def drive(self, run_id: str, frames: Frames, on_failure: OnFailure) -> LiveRun:
        """Start working on a claimed run; `on_failure` says what frames end a run that broke."""
        live = LiveRun(run_id)
        self.live[run_id] = live
        live.task = asyncio.create_task(self._drive(live, frames, on_failure), name=run_id)
        return live

    async def _drive(self, live: LiveRun, frames: Frames, on_failure: OnFailure) -> None:
        failure: Exception | None = None
        try:
            await _copy(frames, live)
        except Exception as error:  # noqa: BLE001 - the border where a run's fault becomes its end
            failure = error
            await _copy(await on_failure(error), live)
        finally:
            del self.live[live.run_id]
            live.finish(failure)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.lease.seconds / 3)
            mine = list(self.live)
            if not mine:
                continue
            kept = await self.db.write(store.renew, self.lease, mine)
            for run_id in set(mine) - kept:
                run = self.live.get(run_id)
                if run and run.task:
                    log.warning("lost the lease of a run", extra={"run_id": run_id})
                    run.task.cancel()


async def _copy(frames: Frames, live: LiveRun) -> None:
    async with aclosing(frames) as stream:
        async for model, event in stream:
            live.append(model, event)
