"""Makes room in the context of a turn: tells the agent, has a summary written, puts it in place."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from perdure.agents.compaction import compaction_in_force
from perdure.content.parts import Compaction, Message, Part, Text, calls_of
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.loop.alerts import leaving_parts
from perdure.loop.answer import Answer, answer_of, spent_on
from perdure.loop.asking import ask
from perdure.loop.compaction import save
from perdure.loop.compaction.cut import Plan
from perdure.loop.compaction.room import Load, plan_in_turn, said_in, taken_after
from perdure.loop.compaction.summarise import Summary, summarise
from perdure.loop.compaction.words import pieces, transcript
from perdure.loop.decide import Progress
from perdure.loop.events import Compacting, Saved
from perdure.loop.measure import size_of
from perdure.loop.order import Environment, Order, done, new_step, tool_context
from perdure.loop.state import TurnState
from perdure.memory.tools import WRITERS
from perdure.messages.store import Draft
from perdure.providers.base import ContextOverflow, Exchange, ModelError, ModelRequest, ToolChoice
from perdure.runs.stop import Stop
from perdure.runs.store import StepRow, Tokens
from perdure.tools.rules import ToolRules
from perdure.tools.store import ToolRow

log = logging.getLogger(__name__)

OVERFLOW, TOO_LARGE = "context_window_exceeded", "post_step_context_check"  # the words clients know
ALERT_SHARES = (0.8, 0.3)  # of the window, for what is shown to an agent before it leaves; then less


@dataclass(slots=True)
class Compactor:
    """One compaction within a turn.

    `state` and `step` are the turn's, as they are when an event comes; `spent` and `steps` is what it took
    beyond the step that waits for room.
    """

    env: Environment
    order: Order
    stop: Stop
    state: TurnState
    step: StepRow
    spent: Tokens = field(default_factory=Tokens)
    steps: int = 0

    async def run(self, load: Load, force: int = 0) -> AsyncGenerator[Compacting | Saved, None]:
        """Make room; no event at all says that nothing can leave. Raises `Stopped`."""
        agent = self.state.agent
        settings = compaction_in_force(agent.compaction_settings, agent.model)
        plan = plan_in_turn(self.state, load, settings, force)
        if plan is None:
            return
        trigger = OVERFLOW if force else TOO_LARGE
        yield Compacting(trigger, load.size.total, load.window, self.step.id)
        if settings.save_to_memory_first:
            async with aclosing(self._save_to_memory(plan)) as events:
                async for event in events:
                    yield event
        with self.stop.interruptible():
            summary = await summarise(self.env, self.order, self.state, plan, settings)
        self.spent += summary.tokens
        self.steps += 1
        counted = Compaction(
            trigger,
            load.window,
            messages_count_before=len(self.state.context),
            messages_count_after=len(self.state.context) - len(said_in(self.state)) + 1 + len(plan.kept),
            context_tokens_before=load.size.total,
            context_tokens_after=taken_after(plan, load, summary.text),
        )
        draft = summary_draft(summary, counted, self.order.run.id)
        self.state = await self.env.db.write(save.save_compaction, self.state, summary.step, draft, plan.kept)
        if self.env.traces:
            self.env.traces.add(summary.step, summary.exchange)
        yield Saved(next(row for row in self.state.context if row.role == "summary"), of_compaction=True)

    async def _save_to_memory(self, plan: Plan) -> AsyncGenerator[Saved, None]:
        """One step in which the agent may save what is about to leave. Whatever fails here stops nothing."""
        tools = memory_writers(self.state, self.order)
        alert = leaving_parts(len(plan.evicted), now(), self.state.agent.timezone)
        answer = await self._alerted(plan, tools, Message("user", alert)) if tools else None
        if answer is None:
            return
        drafts = await self._obeyed(answer, alert, tools)
        self.step = replace(done(self.step, "success"), aside=True)
        following = new_step(self.order.run, self.order.model, self.step.context_window_limit)
        self.state, rows = await self.env.db.write(save.save_aside, self.state, self.step, drafts, following)
        self.step = following
        for row in rows:
            yield Saved(row, of_compaction=True)

    async def _obeyed(self, answer: Answer, alert: tuple[Part, ...], tools: Sequence[ToolRow]) -> list[Draft]:
        """Run what the agent called; what is kept of it: no words, for nobody reads them."""
        # Ids of our own: the model does not see these calls again, and some servers use the same ones twice.
        calls = tuple(replace(call, id=new_id("call")) for call in calls_of(answer.parts))
        if not calls:
            return []
        context = tool_context(self.env, self.state, self.order.run, self.step)
        attached = {tool.name: tool for tool in tools}
        # Not to be interrupted: these are the server's own tools, and quick.
        results = await self.env.dispatcher.call_all(context, calls, attached)
        failed = all(result.status == "error" for result in results)
        return [
            self._draft("system", alert),  # not the user's: searches for what people said leave it out
            self._draft("assistant", calls),
            replace(self._draft("tool", tuple(results)), is_err=failed),
        ]

    async def _alerted(self, plan: Plan, tools: Sequence[ToolRow], alert: Message) -> Answer | None:
        """What the agent answers when it is told; None where it could not be asked."""
        for share in ALERT_SHARES:
            most = int(self.step.context_window_limit * share)
            request = alert_request(self.state, self.order, plan, tools, alert, most)
            exchange = Exchange()
            try:
                with self.stop.interruptible():
                    answer = await answer_of(self.order.model, request, exchange)
            except ModelError as error:
                log.warning("the agent could not be asked what to save", extra={"reason": str(error)})
                if isinstance(error, ContextOverflow):
                    continue
                return None
            finally:
                if self.env.traces:
                    self.env.traces.add(self.step, exchange)
            spent = spent_on(answer.usage)
            self.spent += spent
            self.steps += 1
            self.step = replace(self.step, usage=asdict(spent))
            return answer
        return None

    def _draft(self, role: Any, parts: tuple[Part, ...]) -> Draft:
        return Draft(role, parts, run_id=self.order.run.id, step_id=self.step.id)


def summary_draft(summary: Summary, counted: Compaction, run_id: str) -> Draft:
    """A summary as it is stored."""
    parts = (Text(summary.text), counted)
    return Draft("summary", parts, run_id=run_id, step_id=summary.step.id)


def memory_writers(state: TurnState, order: Order) -> tuple[ToolRow, ...]:
    """The agent's own tools that write memory and may run without asking anybody."""
    writers = {(tool.name, tool.kind) for tool in WRITERS}
    rules = ToolRules.of(state.agent.tool_rules)
    theirs = {tool.name for tool in order.client_tools}
    return tuple(
        tool
        for tool in state.tools
        if (tool.name, tool.kind) in writers
        and tool.name not in theirs
        and not rules.needs_approval(tool.name)
    )


def alert_request(
    state: TurnState, order: Order, plan: Plan, tools: Sequence[ToolRow], alert: Message, most: int
) -> ModelRequest:
    """What an agent is shown before messages leave: these messages, what is to be done, the tools for it.

    Where that takes more than `most` tokens, it is the latest part of them, as text.
    """
    shown = replace(state, context=plan.evicted, tools=tuple(tools))
    request = ask(shown, ToolRules(), Progress(), order.model, order.system).request
    request = replace(request, tool_choice=ToolChoice("auto"), response_format=None)
    whole = replace(request, messages=(*request.messages, alert))
    size = size_of(whole)
    if size.total <= most:
        return whole
    room = max(most - size.fixed, 1)
    latest = pieces(transcript(plan.evicted, state.agent.timezone), room)[-1]
    return replace(request, messages=(Message("user", (Text(latest), *alert.parts)),))
