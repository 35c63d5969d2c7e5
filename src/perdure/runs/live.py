"""A run at work in this process: its frames so far, and those still to come."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from perdure.runs.frames import FrameRow
from perdure.runs.stop import Stop

NewFrame = tuple[BaseModel, str | None]  # without a number yet: its model, its event's name if it has one

RING = 10_000  # stored frames of a durable run that are kept in memory, too
SLACK = 1_000  # frames are dropped so many at once


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing a stream shows: a wire model, or an error's name and wire model.

    `seq` only grows within a run; it is the cursor for reading on. Frames of a durable run are also there
    as they are stored (`row`).
    """

    seq: int
    model: BaseModel
    event: str | None = None
    row: FrameRow | None = None


class LiveRun:
    """Frames in a list that grows; any number of readers follow it, each at its own pace.

    A durable run's frames are stored, too (`Spill`), and of those that are stored only the last ones
    stay here: who reads more slowly finds the others in the database. `after` is where its numbers begin.
    """

    def __init__(
        self,
        run_id: str,
        stop: Stop | None = None,
        *,
        thread_id: str = "",
        durable: bool = False,
        tokens: bool = False,
        attempt: int = 1,
        after: int = 0,
    ):
        self.run_id = run_id
        self.thread_id = thread_id
        self.attempt = attempt
        self.durable = durable  # it goes on if this process does not
        self.tokens = tokens  # messages come in pieces
        self.stop = stop or Stop()
        self.frames: list[Frame] = []
        self.dropped = after  # the number of the last frame that is not here
        self.stored = after  # the number of the last frame that is in the database
        self.announced = after  # up to which number other servers know that it is
        self.done = False
        self.failure: Exception | None = None
        self.given_up = False  # how it ended, if it did, is for the database to tell
        self.elsewhere: Callable[[LiveRun], LiveRun] | None = None  # tells the rest of it once it is given up
        self.task: asyncio.Task[None] | None = None
        self.on_news: Callable[[], None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._followers = 0

    @property
    def cut(self) -> bool:
        """Whether the frames end here without the run's end: it goes on in another process."""
        return self.done and self.stop.handed_over

    @property
    def seq(self) -> int:
        """The number of the last frame."""
        return self.dropped + len(self.frames)

    def append(self, model: BaseModel, event: str | None = None) -> None:
        """Add a frame and wake the readers."""
        seq = self.dropped + len(self.frames) + 1
        row = row_of(seq, model, event) if self.durable else None
        self.frames.append(Frame(seq, model, event, row))
        self._wake()

    def unstored(self) -> list[FrameRow]:
        """The frames that the database has not."""
        return [frame.row for frame in self.frames[self.stored - self.dropped :] if frame.row]

    def mark_stored(self, seq: int) -> None:
        """The database has all frames up to this one; the oldest may go."""
        self.stored = max(self.stored, seq)
        surplus = min(len(self.frames) - RING, self.stored - self.dropped)
        if surplus >= SLACK and not self._followers:
            del self.frames[:surplus]
            self.dropped += surplus
        if self.on_news:
            self.on_news()

    def finish(self, failure: Exception | None = None) -> None:
        """No frame will follow; `failure` is what a blocking caller should be told."""
        self.failure, self.done = failure, True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        if self.on_news:
            self.on_news()

    def since(self, after: int, most: int) -> list[Frame]:
        """The frames above a number that are here, so many at the most."""
        first = max(after - self.dropped, 0)
        return self.frames[first : first + most]

    async def follow(
        self, after: int = 0, *, silence: float | None = None, onward: bool = True
    ) -> AsyncGenerator[Frame | None, None]:
        """Frames above `after` until the run ends; None whenever `silence` seconds pass without one.

        While somebody follows, nothing is dropped. A run that goes on elsewhere is followed there.
        """
        self._followers += 1
        after = max(after, self.dropped)
        try:
            while True:
                while after < self.seq:
                    after += 1
                    yield self.frames[after - self.dropped - 1]
                if self.done:
                    break
                if not await self.wait(silence):
                    yield None
        finally:
            self._followers -= 1
        if onward and (other := self._onward()):
            try:
                async with aclosing(other.follow(silence=silence)) as frames:
                    async for frame in frames:
                        yield frame
            finally:
                other.leave()

    def _onward(self) -> "LiveRun | None":
        """Where a run is told that goes on elsewhere; its reader leaves it when it wants no more."""
        return self.elsewhere(self) if self.elsewhere and self.given_up and not self.cut else None

    def messages_told(self) -> set[str]:
        """The ids of all messages that readers were shown, whole or in part."""
        return {id for frame in self.frames if (id := getattr(frame.model, "id", None))}

    def leave(self) -> None:
        """Nobody wants to know more of what is told here of a run that is worked on elsewhere."""
        if self.task:
            self.task.cancel()

    async def wait(self, seconds: float | None) -> bool:
        """Wait for a frame or the end; whether one came in time."""
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
        models = [frame.model async for frame in self.follow(onward=False) if frame]
        if other := self._onward():
            try:
                return models + await other.ended()
            finally:
                other.leave()
        if self.failure:
            raise self.failure
        return models


def rows_of(frames: Iterable[NewFrame], *, after: int) -> list[FrameRow]:
    """What frames are stored as whose numbers follow `after`."""
    return [row_of(seq, model, event) for seq, (model, event) in enumerate(frames, after + 1)]


def row_of(seq: int, model: BaseModel, event: str | None = None) -> FrameRow:
    """A frame as it is stored and sent; models that can tell their number do."""
    if "seq_id" in type(model).model_fields:
        model = model.model_copy(update={"seq_id": seq})
    return FrameRow(seq, model.model_dump_json(), event)
