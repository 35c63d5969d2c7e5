"""One turn: ask, act, repeat. It streams what happens; every reader of a turn reads this.

The database is touched only at save points (`save.py`), never while a model or a tool works.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from perdure.content.parts import Part, ToolCall, ToolReturn, calls_of
from perdure.kit.clock import monotonic_ns
from perdure.kit.errors import PerdureError
from perdure.kit.ids import new_id
from perdure.loop import save
from perdure.loop.alerts import nudge_parts
from perdure.loop.answer import Answer, AnswerBuilder, spent_on
from perdure.loop.approvals import Settlement, request_id, split_parts
from perdure.loop.asking import Asking, ask
from perdure.loop.compaction.compact import Compactor
from perdure.loop.compaction.cut import FORCES
from perdure.loop.compaction.room import ContextFull, Load, load_of
from perdure.loop.decide import (
    AskApproval,
    Finish,
    Nudge,
    Progress,
    RunTools,
    after_tools,
    decide,
    progressed,
)
from perdure.loop.events import Delta, Ended, Saved, TurnEvent, TurnFailed
from perdure.loop.legacy import is_legacy
from perdure.loop.order import Environment, Order, done, new_step, tool_context
from perdure.loop.request import cancelled
from perdure.loop.state import TurnState
from perdure.loop.stops import error_of, stop_reason_of
from perdure.messages.store import Draft
from perdure.providers.base import ContextOverflow, Exchange, ModelEvent, ToolCallDelta, ToolCallStart, Usage
from perdure.runs.leases import RunEnd
from perdure.runs.runner import RunInterrupted
from perdure.runs.stop import Stop, Stopped
from perdure.runs.store import StepRow, Tokens
from perdure.tools.rules import ToolRules

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """A turn at work. `run` is the loop; the rest are its steps."""

    env: Environment
    order: Order
    state: TurnState
    step: StepRow
    stop: Stop = field(default_factory=Stop)
    rules: ToolRules = field(init=False)
    progress: Progress = field(init=False)
    tokens: Tokens = field(default_factory=Tokens)
    steps: int = 0
    further_steps: int = 0  # taken to make room for those that count
    context_tokens: int = 0
    started: int = field(default_factory=monotonic_ns)
    ttft_ns: int | None = None
    _saying: tuple[AnswerBuilder, str] | None = None  # the answer that is not saved yet, and its id

    def __post_init__(self) -> None:
        self.progress = Progress(history=self.state.called)
        self.rules = ToolRules.of(
            self.state.agent.tool_rules, attached=[tool.name for tool in self.state.tools]
        )

    @property
    def must_call(self) -> bool:
        return is_legacy(self.state.agent.agent_type)

    async def run(self) -> AsyncGenerator[TurnEvent, None]:
        """Everything that happens, the end last. Raises `TurnFailed` once a failed end is stored.

        Whatever else it raises could not be stored.
        """
        try:
            async with aclosing(self._steps()) as events:
                async for event in events:
                    yield event
        except (
            Exception,
            asyncio.CancelledError,
        ) as error:  # the border where a turn's fault becomes its end
            if self.stop.handed_over and isinstance(error, asyncio.CancelledError):
                raise
            cause = error if isinstance(error, Exception) else RunInterrupted()
            if not isinstance(cause, PerdureError):
                log.error("a turn broke", exc_info=cause, extra={"run_id": self.order.run.id})
            await self._fail(cause)
            raise TurnFailed(stop_reason_of(cause), cause) from error

    async def _steps(self) -> AsyncGenerator[TurnEvent, None]:
        ended = False
        if faults := self.state.faults:
            told = {"calls_answered": faults.answered, "returns_left_out": faults.left_out}
            log.warning("a broken history was made whole", extra={"thread_id": self.state.thread.id, **told})
        if self.state.settlement:
            async with aclosing(self._take_up(self.state.settlement)) as events:
                async for event in events:
                    yield event
                    ended = isinstance(event, Ended)
        force, refusal = 0, None
        while not ended:
            self._saying = None
            asking, load = self._weighed()
            try:
                if load.is_over or refusal:
                    async with aclosing(self._compacted(load, force, refusal)) as events:
                        async for event in events:
                            yield event
                    asking, load = self._weighed()
                builder = AnswerBuilder(self.order.model.provider_type, asking.parallel, self._is_called)
                message_id = new_id("message")
                self._saying = (builder, message_id)
                async with aclosing(self._ask(asking, builder, message_id)) as deltas:
                    async for delta in deltas:
                        yield delta
            except Stopped:
                async for event in self._end("cancelled", self._half_said()):
                    yield event
                return
            except ContextOverflow as error:
                force, refusal = self._refused(error, load, force), error
                continue
            force, refusal = 0, None
            answer = builder.answer()
            self._count(answer.usage, load)
            async with aclosing(self._act(answer, message_id)) as events:
                async for event in events:
                    yield event
                    ended = isinstance(event, Ended)

    def _weighed(self) -> tuple[Asking, Load]:
        """What the step asks of the model, and how much of the window that takes."""
        order = self.order
        asking = ask(
            self.state,
            self.rules,
            self.progress,
            order.model,
            order.system,
            order.client_tools,
            order.skills,
        )
        ratio = self.env.calibration.ratio(order.model.handle)
        return asking, load_of(asking.request, self.step.context_window_limit, ratio)

    async def _compacted(
        self, load: Load, force: int, refusal: ContextOverflow | None
    ) -> AsyncGenerator[TurnEvent, None]:
        """Make room in the context; `ContextFull` where nothing can leave it and a vendor refuses it."""
        if load.size.fixed > load.window:
            raise ContextFull.by_prompt(load)
        before = self.state.context
        work = Compactor(self.env, self.order, self.stop, self.state, self.step)
        try:
            async with aclosing(work.run(load, force)) as events:
                async for event in events:
                    yield event
        finally:
            self.state, self.step = work.state, work.step
            self.tokens += work.spent
            self.further_steps += work.steps
        if refusal and self.state.context is before:
            raise ContextFull.by_rest(refusal) from refusal

    def _refused(self, error: ContextOverflow, load: Load, force: int) -> int:
        """How hard to try next when a vendor says that a request does not fit; raises if that is no use."""
        if isinstance(error, ContextFull) or self.step.ttft_ns is not None:
            raise error
        if force == len(FORCES) - 1:
            raise ContextFull.by_rest(error) from error
        self.env.calibration.learn(self.order.model.handle, load.estimated, max(load.window, load.size.total))
        return force + 1

    async def _ask(
        self, asking: Asking, builder: AnswerBuilder, message_id: str
    ) -> AsyncGenerator[Delta, None]:
        """Call the model; its events as they come."""
        exchange = Exchange()
        asked = monotonic_ns()
        first: int | None = None
        asking_calls: set[int] = set()
        try:
            with self.stop.interruptible():
                async with aclosing(self.order.model.client.stream(asking.request, exchange)) as events:
                    async for event in events:
                        if first is None:
                            first = monotonic_ns()
                            self.ttft_ns = self.ttft_ns or first - self.started
                        if kept := builder.add(event):
                            asks = self._asks(kept, asking_calls)
                            place = request_id(message_id) if asks else message_id
                            yield Delta(kept, place, self.step.id, asks)
        finally:
            self.step = replace(
                self.step, model_ns=monotonic_ns() - asked, ttft_ns=first - asked if first else None
            )
            if self.env.traces:
                self.env.traces.add(self.step, exchange)

    def _is_called(self, call_id: str) -> bool:
        """Whether a call of the history has this id: some servers number the calls of every answer anew."""
        return any(call.id == call_id for row in self.state.context for call in calls_of(row.parts))

    def _asks(self, event: ModelEvent, asking: set[int]) -> bool:
        """Whether a piece belongs to a call that will wait; remembers those calls by their index."""
        if isinstance(event, ToolCallStart) and self._waits(event.name):
            asking.add(event.index)
        return isinstance(event, ToolCallStart | ToolCallDelta) and event.index in asking

    def _waits(self, name: str) -> bool:
        return name in {tool.name for tool in self.order.client_tools} or self.rules.needs_approval(name)

    def _count(self, usage: Usage, load: Load) -> None:
        spent = spent_on(usage)
        self.steps += 1
        self.tokens += spent
        self.context_tokens = spent.total
        self.step = replace(self.step, usage=asdict(spent))
        self.env.calibration.learn(self.order.model.handle, load.estimated, spent.prompt)

    async def _act(self, answer: Answer, message_id: str) -> AsyncGenerator[Saved | Ended, None]:
        """Do what an answer asks for; ends the turn or prepares the next step."""
        theirs = {tool.name for tool in self.order.client_tools}
        match decide(answer, self.rules, self.progress, must_call=self.must_call, client_tools=theirs):
            case RunTools(calls):
                async for event in self._run_tools(answer, calls, message_id):
                    yield event
            case Nudge(missing):
                told = self._draft("user", nudge_parts(missing))
                self.progress = replace(self.progress, nudges=self.progress.nudges + 1)
                async for event in self._go_on([self._answer(answer.parts, message_id), told]):
                    yield event
            case AskApproval(free, pending):
                first, asked = split_parts(answer, free, pending)
                drafts = [
                    self._answer(first, message_id),
                    replace(self._draft("approval", asked), id=request_id(message_id)),
                ]
                async for event in self._end("requires_approval", drafts):
                    yield event
            case Finish(reason):
                async for event in self._end(reason, [self._answer(answer.parts, message_id)]):
                    yield event

    async def _run_tools(
        self, answer: Answer, calls: tuple[ToolCall, ...], message_id: str
    ) -> AsyncGenerator[Saved | Ended, None]:
        """Save the answer, call its tools, save what they returned."""
        drafts = [self._answer(answer.parts, message_id)]
        known = len(self.state.context)
        self.state = await self.env.db.write(save.save_answer, self.state, self.step, drafts)
        self._saying = None
        for message in self.state.context[known:]:
            yield Saved(message)
        began = monotonic_ns()
        try:
            with self.stop.interruptible():
                results = await self._call(calls)
        except Stopped:
            async for event in self._end("cancelled", [self._draft("tool", cancelled(calls), is_err=True)]):
                yield event
            return
        self.step = replace(self.step, tools_ns=monotonic_ns() - began)
        async for event in self._returned(calls, results):
            yield event

    async def _take_up(self, settled: Settlement) -> AsyncGenerator[Saved | Ended, None]:
        """Go on where an earlier run asked for approval: run what may run, and tell the model of all."""
        try:
            with self.stop.interruptible():
                results = settled.ordered(await self._call(settled.run))
        except Stopped:
            kept = settled.ordered(cancelled(settled.run))
            async for event in self._end("cancelled", [self._draft("tool", kept, is_err=True)]):
                yield event
            return
        async for event in self._returned(settled.calls, results):
            yield event

    async def _returned(
        self, calls: Sequence[ToolCall], results: Sequence[ToolReturn]
    ) -> AsyncGenerator[Saved | Ended, None]:
        """Save what the tools returned; end the turn or prepare the next step."""
        self.progress = progressed(self.progress, calls, results)
        returned = [self._draft("tool", tuple(results), is_err=all(r.status == "error" for r in results))]
        after = after_tools(results, calls, self.rules, self.progress, must_call=self.must_call)
        end = after.reason if isinstance(after, Finish) else None
        async for event in self._end(end, returned) if end else self._go_on(returned):
            yield event

    async def _call(self, calls: Sequence[ToolCall]) -> list[ToolReturn]:
        tools = {tool.name: tool for tool in self.state.tools}
        context = tool_context(self.env, self.state, self.order.run, self.step)
        return await self.env.dispatcher.call_all(context, calls, tools, self.rules, self.progress.history)

    async def _go_on(self, drafts: Sequence[Draft]) -> AsyncGenerator[Saved | Ended, None]:
        """Save and take the next step, or end where the steps are used up."""
        if self.steps >= self.order.max_steps:
            async for event in self._end("max_steps", drafts):
                yield event
            return
        following = new_step(self.order.run, self.order.model, self.step.context_window_limit)
        known = len(self.state.context)
        kept = [draft for draft in drafts if draft.parts]
        self.state = await self.env.db.write(
            save.save_returns, self.state, done(self.step, "success"), kept, following
        )
        self.step, self._saying = following, None
        for message in self.state.context[known:]:
            yield Saved(message)

    async def _end(self, reason: str, drafts: Sequence[Draft]) -> AsyncGenerator[Saved | Ended, None]:
        """Save the last messages with the end of the run."""
        known = len(self.state.context)
        kept = [draft for draft in drafts if draft.parts]
        self.state = await self.env.db.write(
            save.save_end, self.state, done(self.step, ended_as(reason), reason), kept, self._run_end(reason)
        )
        for message in self.state.context[known:]:
            yield Saved(message)
        yield Ended(reason, self.tokens, self.steps + self.further_steps, self.context_tokens)

    async def _fail(self, error: Exception) -> None:
        """Save how a turn broke, and what was said until then, marked."""
        reason, kept = stop_reason_of(error), error_of(error)
        drafts = [replace(draft, is_err=True) for draft in self._half_said() if draft.parts]
        failed = replace(
            done(self.step, "failed", reason),
            error_type=kept["error_type"],
            error_data={"message": kept["message"]},
        )
        end = self._run_end(reason, kept)
        self.state = await self.env.db.write(save.save_end, self.state, failed, drafts, end)

    def _half_said(self) -> list[Draft]:
        """What was said of an answer that broke off."""
        if self._saying is None:
            return []
        builder, message_id = self._saying
        return [self._answer(builder.partial(), message_id)]

    def _run_end(self, reason: str, error: dict[str, str] | None = None) -> RunEnd:
        steps = self.steps + self.further_steps
        usage = {**asdict(self.tokens), "steps": steps, "context": self.context_tokens}
        return RunEnd(reason, usage, error, self.ttft_ns, monotonic_ns() - self.started)

    def _answer(self, parts: tuple[Part, ...], message_id: str) -> Draft:
        return replace(self._draft("assistant", parts), id=message_id)

    def _draft(self, role: Any, parts: tuple[Part, ...], *, is_err: bool = False) -> Draft:
        return Draft(role, parts, run_id=self.order.run.id, step_id=self.step.id, is_err=is_err)


def ended_as(reason: str) -> Literal["success", "cancelled"]:
    """The status of a step that ended its turn for this reason."""
    return "cancelled" if reason == "cancelled" else "success"
