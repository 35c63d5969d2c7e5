"""Calls the `callback_url` of runs that ended: each at least once, until it is taken or tried enough."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from perdure.chat.result import messages_of, result_of
from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument
from perdure.kit.outbound import Fetcher, FetchFailed, check_address
from perdure.messages.store import MessageRow
from perdure.runs import callbacks
from perdure.runs.callbacks import Due
from perdure.runs.live import LiveRun
from perdure.runs.schemas import Run
from perdure.runs.settings import RunSettings
from perdure.runs.store import RunRow
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing, KeyRingError
from perdure.tenancy.signing import signed_headers, signing_secret

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0  # how long the callback of a run that ended elsewhere waits to be seen, if need be
AT_ONCE = 8
GROWTH = 5
MARGIN_SECONDS = 10.0  # a try holds its callback for as long as fetching may take, and this
GONE = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try."""

    status_code: int | None = None
    error: str | None = None


class Callbacks:
    """Looks for callbacks that are due and makes them, some at once."""

    def __init__(self, db: Database, ring: KeyRing, fetcher: Fetcher, settings: RunSettings):
        self.db = db
        self.ring = ring
        self.fetcher = fetcher
        self.settings = settings
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin looking."""
        self._looking = asyncio.create_task(self._look(), name="callbacks")

    async def close(self) -> None:
        """Stop; what was under way is made again by whoever looks next."""
        tasks = [*self._tasks, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def wake_after(self, live: LiveRun) -> None:
        """Look when this run is done."""
        if live.task:
            live.task.add_done_callback(lambda _: self.wake())

    async def _look(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._begin_due()
            except Exception:
                log.warning("callbacks could not be looked for; trying again", exc_info=True)
            try:
                await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def _begin_due(self) -> None:
        free, tries = AT_ONCE - len(self._tasks), self.settings.callback_tries
        if free and await self.db.read(callbacks.any_due, now(), tries):
            until = now() + timedelta(seconds=self.fetcher.settings.seconds + MARGIN_SECONDS)
            for due in await self.db.write(callbacks.take_due, now(), until, tries, free):
                task = asyncio.create_task(self._make(due), name=f"callback of {due.run.id}")
                self._tasks.add(task)
                task.add_done_callback(self._made)

    def _made(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("a %s could not be made", task.get_name(), exc_info=error)
        self.wake()

    async def _make(self, due: Due) -> None:
        sent_at = now()
        try:
            outcome = await self._call(due.run)
        except (FetchFailed, KeyRingError) as error:
            outcome = Outcome(error=error.detail)
        pause = None
        if outcome.error and outcome.status_code != GONE and due.tries < self.settings.callback_tries:
            pause = pause_after(due.tries, self.settings.callback_pause_seconds)
        await self.db.write(
            callbacks.note_try,
            due,
            sent_at=sent_at,
            status_code=outcome.status_code,
            error=outcome.error,
            again=now() + timedelta(seconds=pause) if pause else None,
        )
        if pause:
            asyncio.get_running_loop().call_later(pause, self.wake)

    async def _call(self, run: RunRow) -> Outcome:
        actor = Actor(run.organization_id)
        body = news_of(run, await self.db.read(messages_of, actor, run.id))
        secret = await self.db.write(signing_secret, self.ring, run.organization_id)
        headers = {"content-type": "application/json", **signed_headers(secret, run.id, now(), body)}
        answer = await self.fetcher.post(run.callback_url or "", body, headers)
        return Outcome(answer.status, None if answer.ok else f"It answered HTTP {answer.status}.")


def checked(url: str | None) -> str | None:
    """A `callback_url`; `InvalidArgument` for what can be none. Where it leads is seen when it is called."""
    if url is not None:
        try:
            check_address(url)
        except FetchFailed as error:
            raise InvalidArgument(f"callback_url: {error.detail}") from error
    return url


def pause_after(tries: int, first: float) -> float:
    """How many seconds to wait after so many tries."""
    return first * GROWTH ** (tries - 1)


def news_of(run: RunRow, rows: list[MessageRow]) -> bytes:
    """What a callback tells: how the run ended, and what was said in it."""
    told: dict[str, Any] = Run.of(run).model_dump(mode="json")
    result = result_of(run, rows).model_dump(mode="json", exclude={"logprobs", "turns"})
    return orjson.dumps(
        {
            "run_id": run.id,
            "status": run.status,
            "completed_at": told["completed_at"],
            "metadata": {**told["metadata"], "result": result},
        }
    )
