"""How a run is asked to stop: at once where it waits for others, never in the middle of a save."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Stopped(Exception):
    """The run was asked to stop while it could be interrupted."""


class Stop:
    """One run's wish to be stopped.

    The run's task marks where it may be interrupted (a model's stream, a tool's call). A request
    breaks such a wait off at once and is noticed at the next one otherwise.
    """

    def __init__(self) -> None:
        self.requested = False
        self.handed_over = False  # the run goes on elsewhere: it must be left as it is
        self._waiting: asyncio.Task[object] | None = None

    def request(self) -> None:
        """Ask the run to stop; asking twice is asking once."""
        if not self.requested and self._waiting is not None:
            self._waiting.cancel()
        self.requested = True

    @contextmanager
    def interruptible(self) -> Generator[None, None, None]:
        """A wait that a request breaks off with `Stopped`; any other cancellation passes through."""
        if self.requested:
            raise Stopped
        task = asyncio.current_task()
        self._waiting = task
        try:
            yield
        except asyncio.CancelledError:
            if task is None or not self.requested or task.uncancel() > 0:
                raise
            raise Stopped from None
        finally:
            self._waiting = None
