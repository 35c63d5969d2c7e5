"""Zygotes that are kept warm while they are wanted: the idle ones end when there are too many."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from perdure.kit.shared import Shared
from perdure.sandbox.egress.proxy import Egress
from perdure.sandbox.zygote import Zygote

log = logging.getLogger(__name__)


@dataclass(slots=True)
class World:
    """A zygote, the proxy of its network if all its calls share one, and what else it holds."""

    zygote: Zygote
    egress: Egress | None = None
    release: Callable[[], None] = lambda: None
    users: int = 0
    used: float = field(default_factory=time.monotonic)

    async def close(self) -> None:
        """End it with all that runs in it."""
        await self.zygote.close()
        if self.egress:
            await self.egress.close()
        self.release()


class Worlds:
    """At most `most` worlds, and more only while they are in use."""

    def __init__(self, most: int):
        self._most = most
        self._worlds: dict[str, World] = {}
        self._making: Shared[World] = Shared("sandbox")
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def use(self, key: str, make: Callable[[], Awaitable[World]]) -> AsyncGenerator[World]:
        """The world of this key, made when there is none."""
        while (world := self._worlds.get(key)) is None:
            await self._making.get(key, lambda: self._make(key, make))
        world.users += 1
        try:
            yield world
        finally:
            world.users -= 1
            world.used = time.monotonic()
            self._make_room()

    async def close(self) -> None:
        """End all."""
        await self._making.close()
        for world in list(self._worlds.values()):
            await world.close()
        self._worlds.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _make(self, key: str, make: Callable[[], Awaitable[World]]) -> World:
        world = self._worlds[key] = await make()
        return world

    def _make_room(self) -> None:
        idle = sorted((world.used, key) for key, world in self._worlds.items() if not world.users)
        for _, key in idle[: max(0, len(self._worlds) - self._most)]:
            task = asyncio.create_task(self._worlds.pop(key).close(), name="sandbox that is not wanted")
            self._ending.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("A sandbox could not be ended.", exc_info=error)
