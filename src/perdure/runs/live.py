"""A run at work in this process: its frames so far, and those still to come."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from perdure.runs.stop import Stop


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing a stream shows: a wire model, or an error's name and wire model.

    `seq` counts from 1 within a run; it is the cursor for reading on.
    """

    seq: int
    model: BaseModel
    event: str | None = None


class LiveRun:
    """Frames in a list that grows; any number of readers follow it, each at its own pace."""

    def __init__(self, run_id: str, stop: Stop | None = None, *, thread_id: str = "", durable: bool = False):
        self.run_id = run_id
        self.thread_id = thread_id
        self.durable = durable  # it goes on if this process does not
        self.stop = stop or Stop()
        self.frames: list[Frame] = []
        self.done = False
        self.failure: Exception | None = None
        self.task: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def append(self, model: BaseModel, event: str | None = None) -> None:
        """Add a frame and wake the readers."""
        self.frames.append(Frame(len(self.frames) + 1, model, event))
        self._wake()

    def finish(self, failure: Exception | None = None) -> None:
        """No frame will follow; `failure` is what a blocking caller should be told."""
        self.failure, self.done = failure, True
        self._wake()

    @property
    def cut(self) -> bool:
        """Whether the frames end here without the run's end: it goes on in another process."""
        return self.done and self.stop.handed_over

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def follow(self, after: int = 0, *, silence: float | None = None) -> AsyncIterator[Frame | None]:
        """Frames above `after` until the run ends; None whenever `silence` seconds pass without one."""
        while True:
            while after < len(self.frames):
                after += 1
                yield self.frames[after - 1]
            if self.done:
                return
            if not await self._wait(silence):
                yield None

    async def _wait(self, seconds: float | None) -> bool:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    async def ended(self) -> list[Any]:
        """Wait for the end; all frames' models. Raises the failure of a run that failed."""
        async for _ in self.follow():
            pass
        if self.failure:
            raise self.failure
        return [frame.model for frame in self.frames]
