"""How many calls run at once, and the control group of each; further calls wait in line."""

import asyncio
from collections import deque

from perdure.sandbox.cgroups import Groups


class Slots:
    """Numbers from 0 up, each held by one call. A burst waits here instead of exhausting the machine."""

    def __init__(self, count: int, groups: Groups):
        self.groups = groups
        self._free = deque(range(count))
        self._waiting = deque[asyncio.Future[int]]()

    async def take(self) -> int:
        """A free slot; first come, first served."""
        if self._free:
            return self._free.popleft()
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give(waiter.result())
            raise

    def give(self, slot: int) -> None:
        """Give it back, when no process of its call lives any more."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(slot)
                return
        self._free.append(slot)
