"""Works on runs: those just accepted, those that wait for their thread, those a crash interrupted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from perdure.chat.callbacks import Callbacks
from perdure.chat.frames import end_frames, failure_frames, ping, projection_of
from perdure.chat.prepare import Prepared, Preparer, client_tool, skills_of
from perdure.chat.record import Record, record_of
from perdure.chat.replay import replay
from perdure.chat.requests import Asked, asked_in, drafts_in
from perdure.kit.clock import monotonic_ns
from perdure.kit.errors import PerdureError, Unavailable
from perdure.loop import intake, save
from perdure.loop.approvals import PendingApproval
from perdure.loop.events import Ended, Saved, TurnFailed
from perdure.loop.intake import AgentChanged, Stood
from perdure.loop.order import Environment, Order
from perdure.loop.state import Tell, TurnState
from perdure.loop.stops import error_of, stop_reason_of
from perdure.loop.turn import Turn
from perdure.messages.store import Draft
from perdure.runs import leases
from perdure.runs.leases import Hold, LeaseLost, RunEnd, Taken
from perdure.runs.live import LiveRun, NewFrame
from perdure.runs.runner import Frames, OnFailure, Runner
from perdure.runs.stop import Stop, Stopped
from perdure.runs.store import RunRow

log = logging.getLogger(__name__)

MOST_CRASHES = 3
LOOK_SECONDS = 0.25  # how soon the first in line sees that another process is done with the thread
GLANCE_SECONDS = 5.0  # the same for those behind it, who are told in their turn
Begin = Callable[[], Awaitable[Turn | None]]


class GivenUp(Unavailable):
    """A run that process after process did not survive, or that nothing was kept of to go on with."""

    @classmethod
    def after(cls, crashes: int) -> "GivenUp":
        """What is told of a run that took a process with it that often."""
        return cls(f"The server stopped while it worked on this run, {crashes} times.")


@dataclass(frozen=True, slots=True)
class Worker:
    """Makes turns of requests and hands them to the runner."""

    env: Environment
    preparer: Preparer
    runner: Runner
    callbacks: Callbacks

    def work(self, asked: Asked, prepared: Prepared, state: TurnState) -> LiveRun:
        """Work on a request that was accepted."""
        new = prepared.intake
        live = _live(asked, new.hold, durable=asked.delivery.background)

        async def begin() -> Turn:
            return self._turn(asked, prepared, state, live.stop)

        return self._drive(live, asked, new.run, new.hold, begin, record_of(live))

    def wait(self, asked: Asked, run: RunRow, hold: Hold) -> LiveRun:
        """Work on a request when its thread is free and all that came before it are done."""
        live = _live(asked, hold)
        record = record_of(live)
        begin = partial(self._in_line, asked, run, hold, live.stop, record)
        return self._drive(live, asked, run, hold, begin, record)

    async def take_over(self) -> None:
        """Go on with all runs whose process went silent."""
        if await self.env.db.read(leases.has_orphans):
            await self.runner.renew()  # after a sleep of the whole machine our own seem silent, too
            for taken in await self.env.db.write(leases.take_over, self.env.lease):
                self.go_on(taken)

    def go_on(self, taken: Taken) -> LiveRun:
        """Work on a run whose process is gone, from where it stood."""
        run, hold = taken.run, taken.hold
        log.info("a run goes on", extra={"run_id": run.id, "attempt": hold.attempt})
        asked, request = _asked(taken)
        live = _live(asked, hold, after=taken.after)
        record = record_of(live)
        if taken.cancel_requested:
            live.stop.request()
        fault = None if request is not None else GivenUp("What this run was to do cannot be read any more.")
        if run.status == "created":
            begin: Begin = partial(self._in_line, asked, run, hold, live.stop, record, fault)
        elif fault or run.crashes >= MOST_CRASHES:
            begin = partial(_give_up, fault or GivenUp.after(run.crashes))
        else:
            begin = partial(self._as_it_stood, asked, run, hold, live.stop)
        return self._drive(live, asked, run, hold, begin, record)

    def _drive(
        self, live: LiveRun, asked: Asked, run: RunRow, hold: Hold, begin: Begin, record: Record | None
    ) -> LiveRun:
        live.elsewhere = partial(self._elsewhere, asked)
        frames = _frames(asked, run, begin, record)
        self.runner.drive(live, frames, self._failed(asked, run, hold, live, record))
        if run.callback_url:
            self.callbacks.wake_after(live)
        return live

    def _elsewhere(self, asked: Asked, live: LiveRun) -> LiveRun:
        """The rest of a run that another process took over, as its caller wished to read it."""
        place = self.preparer.remembered(asked)
        agent_type = place.agent.agent_type if place else None
        projection = projection_of(asked.options, asked.delivery, live.run_id, agent_type)
        return replay(self.env.db, live.run_id, projection, told=live.messages_told())

    def _turn(
        self, asked: Asked, prepared: Prepared, state: TurnState, stop: Stop, stood: Stood | None = None
    ) -> Turn:
        options = asked.options
        order = Order(
            run=prepared.intake.run,
            model=prepared.model,
            max_steps=options.max_steps,
            system=options.override_system,
            client_tools=tuple(map(client_tool, options.client_tools or ())),
            skills=skills_of(options),
        )
        stood = stood or Stood()
        return Turn(
            self.env,
            order,
            state,
            prepared.intake.step,
            stop,
            tokens=stood.tokens,
            steps=stood.steps,
            further_steps=stood.further_steps,
            started=monotonic_ns() - stood.worked_ns,
            ttft_ns=stood.ttft_ns,
        )

    async def _in_line(
        self,
        asked: Asked,
        run: RunRow,
        hold: Hold,
        stop: Stop,
        tell: Tell | None,
        fault: GivenUp | None = None,
    ) -> Turn | None:
        """The turn of a run that waited; None if it was cancelled before it could begin.

        With a `fault` it cannot begin, but what it was to say is said, failed, when its turn has come.
        """
        place = self.runner.line_up(run.thread_id)
        try:
            while True:
                if turn := await self._try_to_begin(asked, run, hold, stop, tell, fault):
                    return turn
                first = self.runner.is_first(run.thread_id, place)
                with stop.interruptible():
                    await asyncio.wait([place], timeout=LOOK_SECONDS if first else GLANCE_SECONDS)
                if place.done():
                    place = self.runner.line_up(run.thread_id, first=True)
        except Stopped:
            await self.env.db.write(save.withdraw, hold, tell)
            return None
        finally:
            place.cancel()

    async def _try_to_begin(
        self,
        asked: Asked,
        run: RunRow,
        hold: Hold,
        stop: Stop,
        tell: Tell | None,
        fault: GivenUp | None,
    ) -> Turn | None:
        db = self.env.db
        if not await db.read(leases.is_next, run.thread_id, run.id):
            return None
        try:
            if fault:
                raise fault
            prepared = await self.preparer.prepare(asked, run, hold)
            state = await db.write(intake.start, prepared.intake)
        except AgentChanged:
            self.preparer.forget(asked)
            return None
        except PendingApproval as error:  # what came before asks for it
            if asked.delivery.strategy == "reject":
                await db.write(save.withdraw, hold, tell)
                raise TurnFailed("cancelled", error) from error
            return None  # this waits until somebody has answered
        except Exception as error:  # the border where what keeps a turn from beginning becomes its end
            if not isinstance(error, PerdureError):
                log.error("a run could not begin", exc_info=error, extra={"run_id": run.id})
            end = RunEnd(stop_reason_of(error), error=error_of(error))
            if await db.write(intake.decline, asked.actor, run, hold, asked.drafts, end, tell):
                raise TurnFailed(end.stop_reason, error) from error
            return None
        return self._turn(asked, prepared, state, stop) if state else None

    async def _as_it_stood(self, asked: Asked, run: RunRow, hold: Hold, stop: Stop) -> Turn:
        self.preparer.forget(asked)
        prepared = await self.preparer.prepare(asked, run, hold)
        prepared = replace(prepared, intake=replace(prepared.intake, assumed=None))
        state, stood = await self.env.db.write(intake.resume, prepared.intake, self.env.dispatcher.repeatable)
        return self._turn(asked, prepared, state, stop, stood)

    def _failed(
        self, asked: Asked, run: RunRow, hold: Hold, live: LiveRun, record: Record | None
    ) -> OnFailure:
        async def failed(error: Exception) -> Frames:
            reason = await self._ended(asked, run, hold, error, record)
            cause = error.cause if isinstance(error, TurnFailed) else error
            live.given_up = reason is None
            last = [] if live.given_up else failure_frames(run.id, reason or "error", error_of(cause))
            return _last_frames(last, record)

        return failed

    async def _ended(
        self, asked: Asked, run: RunRow, hold: Hold, error: Exception, tell: Tell | None
    ) -> str | None:
        """Make sure a failed run has its end stored; returns why it stopped, None if that is not stored."""
        if isinstance(error, TurnFailed):
            return error.stop_reason
        if not isinstance(error, LeaseLost):
            log.error("a run broke", exc_info=error, extra={"run_id": run.id, "agent_id": run.agent_id})
        try:
            ended = await self.env.db.write(
                intake.end_broken, asked.actor, run, hold, asked.drafts, error_of(error), tell
            )
        except LeaseLost:
            return None  # it was ended by another, or deleted
        except Exception:
            log.exception("the end of a run could not be stored; its lease will run out")
            return None
        return "error" if ended else None  # it waits on, for whoever takes it over


def _asked(taken: Taken) -> tuple[Asked, Mapping[str, Any] | None]:
    """The request of a run that was taken over, and None where nothing of it is kept that can be read."""
    try:
        return asked_in(taken.run, taken.request), taken.request
    except (LookupError, TypeError, ValueError):  # of another version of this server, perhaps
        log.exception("the request of a run cannot be read", extra={"run_id": taken.run.id})
        return replace(asked_in(taken.run, None), drafts=_readable_drafts(taken)), None


def _readable_drafts(taken: Taken) -> tuple[Draft, ...]:
    """What a run waits to say, where at least that can be read."""
    try:
        return drafts_in(taken.request or {})
    except (LookupError, TypeError, ValueError):
        log.exception("the input of a run cannot be read", extra={"run_id": taken.run.id})
        return ()


def _live(asked: Asked, hold: Hold, *, durable: bool = True, after: int = 0) -> LiveRun:
    return LiveRun(
        hold.run_id,
        thread_id=asked.thread_id,
        durable=durable,
        tokens=asked.delivery.tokens,
        attempt=hold.attempt,
        after=after,
    )


async def _frames(asked: Asked, run: RunRow, begin: Begin, record: Record | None) -> Frames:
    if asked.delivery.pings and run.attempt == 1:
        yield ping(run.id), None
    turn = await begin()
    if turn is None:
        async for frame in _last_frames(end_frames(Ended.withdrawn()), record):
            yield frame
        return
    projection = projection_of(asked.options, asked.delivery, run.id, turn.state.agent.agent_type)
    if record:
        record.projection = projection
        turn.state = replace(turn.state, tell=record)
    async with aclosing(turn.run()) as events:
        async for event in events:
            for frame in projection.frames(event):
                yield frame, None
            if record and isinstance(event, Saved | Ended):
                record.stored()


async def _last_frames(last: Sequence[NewFrame], record: Record | None) -> Frames:
    """The frames of an end that is stored already; the record has stored them with it."""
    for frame in last:
        yield frame
    if record and last:
        record.stored()


async def _give_up(why: GivenUp) -> Turn | None:
    raise why
