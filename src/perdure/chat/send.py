"""Sending to an agent: from a request to a run at work, or in line for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from perdure.agents.conversations.place import find
from perdure.chat.frames import projection_of
from perdure.chat.images import fetch_images, is_missing
from perdure.chat.inputs import drafts_of, reply_of
from perdure.chat.prepare import Prepared
from perdure.chat.replay import read_back, replay
from perdure.chat.requests import Asked, Delivery
from perdure.chat.schemas import SendOptions
from perdure.chat.settings import StreamSettings
from perdure.chat.tail import Tails
from perdure.chat.worker import Worker
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, Forbidden
from perdure.kit.outbound import Fetcher
from perdure.loop import intake
from perdure.loop.approvals import AlreadyAnswered
from perdure.loop.intake import AgentChanged, AlreadySaid, Intake
from perdure.loop.order import Environment
from perdure.messages.store import Draft
from perdure.providers.catalog import Models
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.cancel import request_cancel
from perdure.runs.leases import ThreadBusy
from perdure.runs.live import LiveRun
from perdure.runs.runner import Runner
from perdure.runs.settings import RunSettings
from perdure.tenancy.actor import Actor


class BusyForTool(Conflict):
    """A tool waits for an agent that may be waiting for this very tool."""

    def __init__(self, busy: ThreadBusy):
        super().__init__(
            f"{busy.detail} A tool does not wait for that: it may be what the agent waits for. Send the "
            "message in the background (`client.agents.messages.create_async`).",
            run_id=busy.run_id,
        )


@dataclass(frozen=True, slots=True)
class Sender:
    """Takes requests to agents on."""

    worker: Worker
    tails: Tails
    runs: RunSettings
    streams: StreamSettings
    fetcher: Fetcher

    @property
    def env(self) -> Environment:
        return self.worker.env

    @property
    def models(self) -> Models:
        return self.worker.preparer.models

    @property
    def runner(self) -> Runner:
        return self.worker.runner

    async def send(self, actor: Actor, thread_id: str, options: SendOptions, delivery: Delivery) -> LiveRun:
        """Accept a request to an agent or a conversation, whichever has the thread.

        The run is claimed, or has its place in line, and its input is saved when this returns. Raises
        what is wrong with the request before anything is stored.
        """
        asked = Asked(actor, thread_id, options.for_turn(), delivery, reply=reply_of(options))
        drafts = drafts_of(options)
        if actor.tool_of:
            _check_tool(asked, drafts)
        prepared = await self.worker.preparer.prepare(asked)
        asked = replace(asked, drafts=tuple(await fetch_images(drafts, self.fetcher)))
        prepared = replace(prepared, intake=replace(prepared.intake, drafts=asked.drafts))
        try:
            state = await self.env.db.write(intake.accept, prepared.intake)
        except AgentChanged:
            self.worker.preparer.forget(asked)
            return await self.send(actor, thread_id, options, delivery)
        except (AlreadyAnswered, AlreadySaid) as again:
            return await self._replay(asked, prepared, again.run_id)
        except ThreadBusy as busy:
            return await self._line_up(asked, prepared, busy, options.multitask_strategy)
        return self.worker.work(asked, prepared, state)

    async def _line_up(
        self, asked: Asked, prepared: Prepared, busy: ThreadBusy, strategy: str | None
    ) -> LiveRun:
        """Let a request wait for its thread, where it may.

        Where nobody listens to the run that has the thread, because it only ends what a crash
        interrupted, nothing is refused because of it: for its caller this conversation is idle.
        """
        if asked.actor.tool_of and not asked.delivery.background:
            raise BusyForTool(busy)
        db, run = self.env.db, replace(prepared.intake.run, status="created", created_at=now())
        place = await db.read(find, asked.actor, asked.thread_id)
        strategy = strategy or place.agent.multitask_strategy or asked.delivery.strategy
        if asked.reply or (strategy == "reject" and not busy.recovering):
            raise busy
        asked = replace(asked, delivery=replace(asked.delivery, strategy=strategy))
        waiting = replace(prepared.intake, run=run, request=asked.stored(waiting=True))
        try:
            stopped = await db.write(
                _enqueue, waiting, self.runs.queue_limit, interrupts=strategy == "interrupt"
            )
        except AlreadySaid as again:
            return await self._replay(asked, prepared, again.run_id)
        self.runner.cancel(stopped)
        if busy.recovering:
            await self.worker.take_over()
        return self.worker.wait(asked, run, waiting.hold)

    async def _replay(self, asked: Asked, prepared: Prepared, run_id: str) -> LiveRun:
        """What came of the same request when it came first: the run at work, or the one that ended."""
        live = self.runner.live.get(run_id)
        if live and live.tokens == asked.delivery.tokens and not live.dropped:
            return live  # all it has told is there: it has neither told very much nor lost a process
        if asked.delivery.background:
            run = await self.env.db.read(runs.get, asked.actor, run_id)
            if run.background and self.tails.keeps(run):
                return read_back(run_id)
        agent_type = prepared.place.agent.agent_type
        projection = projection_of(asked.options, asked.delivery, run_id, agent_type)
        return replay(self.env.db, run_id, projection)


def _check_tool(asked: Asked, drafts: Sequence[Draft]) -> None:
    """Refuse what a tool cannot do by itself: answer for a person, have addresses called."""
    if asked.reply:
        raise Forbidden("A tool cannot approve calls, or answer them for a client: that is for a person.")
    if asked.delivery.callback_url:
        raise Forbidden("callback_url: a tool cannot have an address called. Ask for the run's end.")
    if any(map(is_missing, (part for draft in drafts for part in draft.parts))):
        raise Forbidden("An image of a tool comes with its data: a tool cannot have an address fetched.")


def _enqueue(conn: Connection, waiting: Intake, limit: int, *, interrupts: bool) -> list[str]:
    """Let a request wait; returns the run that it stops. What waits before it loses nothing but time."""
    intake.enqueue(conn, waiting, limit=limit)
    busy = leases.at_work(conn, waiting.run.thread_id) if interrupts else None
    if busy is None:
        return []
    request_cancel(conn, waiting.actor, waiting.run.agent_id, [busy])
    return [busy]
