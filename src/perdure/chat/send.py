"""Sending to an agent: from a request to a run at work."""

import logging
from contextlib import aclosing
from dataclasses import dataclass, field

from perdure.agents.conversations.place import Place, find
from perdure.agents.model_settings import context_window
from perdure.chat.callbacks import Callbacks, checked
from perdure.chat.images import fetch_images
from perdure.chat.inputs import drafts_of, reply_of
from perdure.chat.schemas import ClientTool, ErrorMessage, SendOptions, StopReason
from perdure.chat.settings import StreamSettings
from perdure.chat.stream import ping
from perdure.chat.told import end_of, told_in
from perdure.chat.wire import Projection
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.kit.outbound import Fetcher
from perdure.loop import save
from perdure.loop.approvals import AlreadyAnswered
from perdure.loop.events import Saved, TurnFailed
from perdure.loop.legacy import is_legacy
from perdure.loop.order import Environment, Order, new_step
from perdure.loop.stops import error_type_of, words_of
from perdure.loop.turn import Turn
from perdure.messages.spoken import MessageTool
from perdure.providers.base import ToolSpec
from perdure.providers.catalog import Models
from perdure.runs import store as runs
from perdure.runs.live import LiveRun
from perdure.runs.runner import Frames, OnFailure, Runner
from perdure.runs.stop import Stop
from perdure.runs.store import LeaseLost, RunRow
from perdure.tenancy.actor import Actor

log = logging.getLogger(__name__)

MOST_SEEN = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the caller reads the run."""

    run_type: str
    tokens: bool = False
    pings: bool = False
    background: bool = False
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Takes requests to agents on and hands them to the runner."""

    env: Environment
    models: Models
    runner: Runner
    streams: StreamSettings
    fetcher: Fetcher
    callbacks: Callbacks
    seen: dict[tuple[str, str], Place] = field(default_factory=dict[tuple[str, str], Place])

    async def send(self, actor: Actor, thread_id: str, options: SendOptions, delivery: Delivery) -> LiveRun:
        """Accept a request to an agent or a conversation, whichever has the thread.

        The run is claimed and its input saved when this returns. Raises what is wrong with the request
        before anything is stored.
        """
        key = (actor.organization_id, thread_id)
        place = self.seen.get(key) or await self.env.db.read(find, actor, thread_id)
        agent = place.agent
        model = await self.models.resolve(actor, options.override_model or agent.model)
        run = _run(actor, place, options, delivery)
        step = new_step(run, model, context_window(agent.context_window_limit, model.context_window))
        told = drafts_of(options, run_id=run.id, step_id=step.id)
        drafts = await fetch_images(told, self.fetcher)
        projection = Projection(
            run.id,
            delivery.tokens,
            options.include_return_message_types,
            _message_tool(agent.agent_type, options),
        )
        try:
            state = await self.env.db.write(
                save.accept,
                actor,
                run,
                self.env.lease,
                drafts,
                step,
                model.provider_type,
                reply_of(options),
                agent,
            )
        except save.AgentChanged:
            self.seen.pop(key, None)
            return await self.send(actor, thread_id, options, delivery)
        except AlreadyAnswered as again:
            return await self._replayed(actor, again.run_id, projection)
        self._remember(key, place)
        stop = Stop()
        theirs = tuple(map(client_tool, options.client_tools or ()))
        order = Order(run, model, options.max_steps, options.override_system, theirs)
        turn = Turn(self.env, order, state, step, stop)
        live = self.runner.drive(run.id, _frames(turn, projection, delivery), self._failed(run), stop)
        if run.callback_url:
            self.callbacks.wake_after(live)
        return live

    def _remember(self, key: tuple[str, str], place: Place) -> None:
        """Keep where a thread belongs: the next message needs no reading before it is accepted."""
        if len(self.seen) >= MOST_SEEN:
            self.seen.clear()
        self.seen[key] = place

    async def _replayed(self, actor: Actor, run_id: str, projection: Projection) -> LiveRun:
        """What came of the same reply when it came first: the run at work, or the one that ended."""
        if run_id in self.runner.live:
            return self.runner.live[run_id]
        run, rows = await self.env.db.read(told_in, actor, run_id)
        replay = LiveRun(run_id)
        for row in rows:
            for frame in projection.frames(Saved(row)):
                replay.append(frame)
        for frame in projection.frames(end_of(run)):
            replay.append(frame)
        replay.finish()
        return replay

    def _failed(self, run: RunRow) -> OnFailure:
        async def failed(error: Exception) -> Frames:
            return _failure_frames(run.id, error, await self._ended(run, error))

        return failed

    async def _ended(self, run: RunRow, error: Exception) -> str:
        """Make sure a failed run has its end stored; returns why it stopped."""
        if isinstance(error, TurnFailed):
            return error.stop_reason
        log.error("a run broke", exc_info=error, extra={"run_id": run.id, "agent_id": run.agent_id})
        told = {"error_type": error_type_of(error), "message": words_of(error)}
        try:
            await self.env.db.write(runs.break_off, run.id, self.env.lease, error=told)
        except LeaseLost:
            pass  # it was ended by another, or deleted
        except Exception:
            log.exception("the end of a run could not be stored; its lease will run out")
        return "error"


def _run(actor: Actor, place: Place, options: SendOptions, delivery: Delivery) -> RunRow:
    began = now()
    return RunRow(
        id=new_id("run"),
        organization_id=actor.organization_id,
        agent_id=place.agent.id,
        thread_id=place.thread_id,
        conversation_id=place.conversation_id,
        status="running",
        background=delivery.background,
        created_at=began,
        callback_url=checked(delivery.callback_url),
        callback_due=began if delivery.callback_url else None,
        metadata={"run_type": delivery.run_type},
        request_config={
            "use_assistant_message": options.use_assistant_message,
            "assistant_message_tool_name": options.assistant_message_tool_name,
            "assistant_message_tool_kwarg": options.assistant_message_tool_kwarg,
            "include_return_message_types": options.include_return_message_types,
        },
    )


def client_tool(tool: ClientTool) -> ToolSpec:
    """A tool of the client's as the model sees it."""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return ToolSpec(tool.name, tool.description or tool.name, parameters)


def _message_tool(agent_type: str, options: SendOptions) -> MessageTool | None:
    if not is_legacy(agent_type) or not options.use_assistant_message:
        return None
    return MessageTool(options.assistant_message_tool_name, options.assistant_message_tool_kwarg)


async def _frames(turn: Turn, projection: Projection, delivery: Delivery) -> Frames:
    if delivery.pings:
        yield ping(turn.order.run.id), None
    async with aclosing(turn.run()) as events:
        async for event in events:
            for frame in projection.frames(event):
                yield frame, None


async def _failure_frames(run_id: str, error: Exception, reason: str) -> Frames:
    cause = error.cause if isinstance(error, TurnFailed) else error
    message = words_of(cause)
    yield StopReason(stop_reason=reason), None
    told = ErrorMessage(run_id=run_id, error_type=error_type_of(cause), message=message, detail=message)
    yield told, "error"
