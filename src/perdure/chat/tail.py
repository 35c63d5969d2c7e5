"""Reading the stream of a durable run: from memory where the run is at work here, else from the database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from perdure.chat.frames import last_words
from perdure.db import Database
from perdure.db.notify import Listener
from perdure.kit.clock import now
from perdure.runs.frames import FrameRow, last_frame, next_attempt, since
from perdure.runs.live import LiveRun, rows_of
from perdure.runs.runner import Runner
from perdure.runs.store import OPEN_STATUSES, RunRow, find_run

BATCH = 100
POLL_SECONDS = 0.1
LISTENING_POLL_SECONDS = 1.0  # with notifications, looking without one is for those that were lost


@dataclass(frozen=True, slots=True)
class Pace:
    """How a reader wants to read: rows at once, seconds between looks, seconds of silence until a ping."""

    batch: int = BATCH
    poll: float = POLL_SECONDS
    silence: float | None = None


class HandedOver(Exception):
    """The run goes on in another process, where the reader may follow it; here, all comes to an end."""


class Quiet:
    """Measures the silence of a stream."""

    def __init__(self, seconds: float | None):
        self.seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()

    def broken(self) -> None:
        """Something was said."""
        self._since = self._clock()

    @property
    def left(self) -> float | None:
        """Until it has lasted too long; None if it never does."""
        return None if self.seconds is None else max(0.0, self.seconds - (self._clock() - self._since))


@dataclass(frozen=True, slots=True)
class Tails:
    """Follows durable runs, wherever they are at work."""

    db: Database
    runner: Runner
    listener: Listener
    keep: timedelta  # how long after its end a run's stream is there

    async def follow(
        self, run_id: str, after: int, pace: Pace, live: LiveRun | None = None
    ) -> AsyncGenerator[FrameRow | None, None]:
        """The frames above `after`, in order, until the run has ended; None after each silence.

        `live` is the run at work here, where the caller has it; it may be done already.
        """
        quiet = Quiet(pace.silence)
        live = live or self.at_work(run_id)
        while True:
            where = (after, pace, quiet)
            async with aclosing(
                self._from_memory(live, *where) if live else self._from_database(run_id, *where)
            ) as rows:
                async for row in rows:
                    after = row.seq if row else after
                    yield row
            if live and live.cut:
                raise HandedOver
            if live and live.given_up:
                live = None
            elif live or not (live := self.at_work(run_id)):
                return

    def keeps(self, run: RunRow) -> bool:
        """Whether a durable run's stream is there still."""
        return run.completed_at is None or run.completed_at > now() - self.keep

    def at_work(self, run_id: str) -> LiveRun | None:
        """A durable run that this process works on."""
        live = self.runner.live.get(run_id)
        return live if live and live.durable and not live.given_up else None

    def _patience(self, pace: Pace, quiet: Quiet) -> float:
        look = max(pace.poll, LISTENING_POLL_SECONDS) if self.listener.hearing else pace.poll
        return look if quiet.left is None else min(look, quiet.left)

    async def _from_database(
        self, run_id: str, after: int, pace: Pace, quiet: Quiet
    ) -> AsyncGenerator[FrameRow | None, None]:
        """Until a run has ended, or is at work here."""
        with self.listener.watch(run_id) as news:
            while self.at_work(run_id) is None:
                status, rows = await self.db.read(since, run_id, after, pace.batch)
                ended = not rows and status not in OPEN_STATUSES
                if ended:
                    rows = await self.db.read(closing, run_id, after)
                for row in rows:
                    after = row.seq
                    yield row
                    quiet.broken()
                if ended:
                    return
                if not rows:
                    await news.wait(self._patience(pace, quiet))
                    if quiet.left == 0:
                        yield None
                        quiet.broken()

    async def _from_memory(
        self, live: LiveRun, after: int, pace: Pace, quiet: Quiet
    ) -> AsyncGenerator[FrameRow | None, None]:
        """Until a run is done; a reader who is behind what is in memory catches up from the database."""
        while True:
            while after < live.dropped:
                _, rows = await self.db.read(since, live.run_id, after, pace.batch)
                after = rows[-1].seq if rows else live.dropped
                for row in rows:
                    yield row
                    quiet.broken()
            for frame in live.since(after, pace.batch):
                after = frame.seq
                if frame.row:
                    yield frame.row
                    quiet.broken()
            if after < live.dropped or live.since(after, 1):
                continue
            if live.done:
                return
            if not await live.wait(quiet.left):
                yield None
                quiet.broken()


def closing(conn: Connection, run_id: str, after: int) -> list[FrameRow]:
    """What a stream still has to tell when its run has ended: nothing, if its end is stored.

    A run whose process died has no last words of its own; they are told from what its row says.
    """
    last = last_frame(conn, run_id)
    if last and is_end(last):
        return []
    last = last_words(run_id, find_run(conn, run_id))
    rows = rows_of(last, after=next_attempt(conn, run_id))
    return [row for row in rows if row.seq > after]


def is_end(frame: FrameRow) -> bool:
    """Whether nothing follows a frame."""
    return frame.event == "error" or frame.data.startswith('{"message_type":"usage_statistics"')
