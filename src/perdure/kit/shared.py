"""One piece of work for all who want its answer at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Work under way, by key. Who stops waiting does not stop it."""

    def __init__(self, name: str):
        self._name = name
        self._tasks: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to the work that is under way for this key; without any, it begins now."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(begin(), name=f"{self._name} {key}")
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def counts(self, key: str) -> bool:
        """Asked by the work itself: whether its answer is still wanted."""
        return self._tasks.get(key) is asyncio.current_task()

    def drop(self, key: str | None = None) -> None:
        """What is under way, for one key or all, counts no more; whoever asks next begins anew."""
        if key is None:
            self._tasks.clear()
        else:
            self._tasks.pop(key, None)

    async def close(self) -> None:
        """Stop all work."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, key: str, task: asyncio.Task[T]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()  # everyone who waited may have left
