"""Drives runs: one task each, leases kept alive, nothing stopped by a listener that leaves."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing

from perdure.db import Database
from perdure.kit.errors import Unavailable
from perdure.kit.repeat import repeat
from perdure.runs import leases
from perdure.runs.cancel import marked
from perdure.runs.leases import Lease
from perdure.runs.live import LiveRun, NewFrame
from perdure.runs.spill import Spill

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
FAILED = "runs could not be looked after"

Frames = AsyncGenerator[NewFrame, None]
OnFailure = Callable[[Exception], Awaitable[Frames]]


class RunInterrupted(Unavailable):
    """The server stopped, or gave the run up, before it was done; what was said until then is kept."""

    def __init__(self) -> None:
        super().__init__("The server stopped while it worked on this run.")


class RunGoesOn(Unavailable):
    """No more can be told here of a run that is not over: another server goes on with it, or will."""

    def __init__(self, run_id: str):
        super().__init__(
            f"Run {run_id} goes on, but this server cannot tell how: ask `GET /v1/runs/{run_id}` whether it "
            f"has ended, and `GET /v1/runs/{run_id}/messages` what was said in it.",
            run_id=run_id,
        )


class Runner:
    """Owns the tasks of all runs of this process and the lease they work under."""

    def __init__(self, db: Database, lease: Lease, spill: Spill | None = None):
        self.db = db
        self.lease = lease
        self.spill = spill
        self.live: dict[str, LiveRun] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._lost: set[str] = set()
        self._in_line: dict[str, deque[asyncio.Future[None]]] = {}

    async def start(self) -> None:
        """Begin renewing leases, and looking for cancellations that came in elsewhere."""
        self._tasks = [
            asyncio.create_task(repeat(self.lease.seconds / 3, self.renew, FAILED), name="lease-heartbeat"),
            asyncio.create_task(repeat(WATCH_SECONDS, self._obey, FAILED), name="cancellations"),
        ]

    async def close(self, patience: float = 5.0) -> None:
        """Let running runs end for a while, then stop them.

        Those that are durable are left to another server, or to this one's next life; the others end
        here, and each notes how.
        """
        tasks = {run.task for run in self.live.values() if run.task}
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        handed_over = [run for run in self.live.values() if run.durable]
        for run in handed_over:
            run.stop.handed_over = True
        rest = {*self._tasks, *(task for task in tasks if not task.done())}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if handed_over:
            await self.db.write(leases.release, self.lease, [run.run_id for run in handed_over])

    def drive(self, live: LiveRun, frames: Frames, on_failure: OnFailure) -> LiveRun:
        """Start working on a run we hold; `on_failure` says what frames end a run that broke."""
        self.live[live.run_id] = live
        if live.durable and self.spill:
            self.spill.add(live)
        live.task = asyncio.create_task(self._drive(live, frames, on_failure), name=live.run_id)
        live.task.add_done_callback(lambda _: self._forget(live))
        return live

    def line_up(self, thread_id: str, *, first: bool = False) -> asyncio.Future[None]:
        """A place in the line of those who wait here for a thread; done when it may have come to the front.

        Each end of a run tells the first in line. Cancel it to leave the line.
        """
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._in_line.setdefault(thread_id, deque())
        (line.appendleft if first else line.append)(place)
        return place

    def is_first(self, thread_id: str, place: asyncio.Future[None]) -> bool:
        """Whether nobody waits before this one, here."""
        line = self._in_line.get(thread_id, ())  # it is gone when the last one in it has been told
        return next((each for each in line if not each.done()), None) is place

    def _tell_first(self, thread_id: str) -> None:
        line = self._in_line.get(thread_id)
        while line:
            place = line.popleft()
            if not place.done():
                place.set_result(None)
                break
        if line is not None and not line:
            del self._in_line[thread_id]

    def cancel(self, run_ids: Iterable[str]) -> None:
        """Stop those of these runs that are at work here; they end by themselves, soon."""
        for run_id in run_ids:
            if run_id in self.live:
                self.live[run_id].stop.request()

    def _forget(self, live: LiveRun) -> None:
        if self.live.get(live.run_id) is live:  # else it was taken up again here
            del self.live[live.run_id]
        self._tell_first(live.thread_id)
        if not live.done:  # stopped before it began, or while it was ending
            live.given_up = True
            live.finish(RunGoesOn(live.run_id) if live.stop.handed_over else RunInterrupted())

    async def _drive(self, live: LiveRun, frames: Frames, on_failure: OnFailure) -> None:
        failure: Exception | None = None
        try:
            await _copy(frames, live)
        except asyncio.CancelledError:
            if live.stop.handed_over:
                raise
            failure = RunInterrupted()
        except Exception as error:  # noqa: BLE001 - the border where a run's fault becomes its end
            failure = error
        if failure:
            await _copy(await on_failure(failure), live)
        live.finish(failure)

    async def renew(self) -> None:
        """Extend all leases; stop the runs that are not ours any more.

        Missing once is not enough: a run may be ending at this very moment.
        """
        if not self.live:
            return
        mine = set(self.live)
        lost = mine - await self.db.write(leases.renew, self.lease, list(mine))
        for run_id in lost & self._lost:
            run = self.live.get(run_id)
            if run and run.task:
                log.warning("lost the lease of a run", extra={"run_id": run_id})
                run.task.cancel()
        self._lost = lost

    async def _obey(self) -> None:
        if not self.live:
            return
        self.cancel(await self.db.read(marked, self.lease, list(self.live)))


async def _copy(frames: Frames, live: LiveRun) -> None:
    async with aclosing(frames) as stream:
        async for model, event in stream:
            live.append(model, event)
