"""Compacting a history between two turns, because somebody asked for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from perdure.agents.compaction import compaction_in_force
from perdure.agents.model_facts import reader_of
from perdure.agents.model_settings import context_window
from perdure.agents.schemas.compaction import CompactionSettings
from perdure.content.parts import Compaction, text_of
from perdure.kit.errors import InvalidArgument
from perdure.loop.asking import ask
from perdure.loop.compaction import save
from perdure.loop.compaction.compact import summary_draft
from perdure.loop.compaction.cut import Plan
from perdure.loop.compaction.room import Load, load_of, plan_at_rest, said_in, taken_after
from perdure.loop.compaction.summarise import summarise
from perdure.loop.decide import Progress
from perdure.loop.order import Environment, Order
from perdure.loop.state import TurnState
from perdure.runs import store as runs
from perdure.runs.leases import RunEnd
from perdure.runs.stop import Stop
from perdure.tenancy.actor import Actor
from perdure.tools.rules import ToolRules

TRIGGER = "requested"


class NothingToCompact(InvalidArgument):
    """A compaction would leave as many messages in context as there are."""

    def __init__(self, count: int):
        super().__init__(
            f"There is nothing to compact: with a summary the context would have no fewer messages than its "
            f"{count}."
        )


@dataclass(frozen=True, slots=True)
class Shrinking:
    """A history that is ours until it is compacted, and what is to leave it."""

    state: TurnState
    settings: CompactionSettings
    plan: Plan
    load: Load


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What came of it; messages are counted with the system message."""

    summary: str
    before: int
    after: int


def begin(
    conn: Connection, env: Environment, actor: Actor, order: Order, named: Mapping[str, Any]
) -> Shrinking | Shrunk:
    """Claim a thread and decide what leaves; `ThreadBusy`, or `NothingToCompact`.

    A thread where nothing was said is done at once. `named` settings go before the agent's.
    """
    state = save.claim_thread(conn, actor, order.run, env.lease, reader_of(order.model))
    if not said_in(state):
        runs.delete_run(conn, actor, order.run.id)
        return Shrunk("", len(state.context), len(state.context))
    agent = state.agent
    settings = compaction_in_force({**agent.compaction_settings, **named}, agent.model)
    rules = ToolRules.of(agent.tool_rules, attached=[tool.name for tool in state.tools])
    window = context_window(agent.context_window_limit, order.model.context_window)
    ratio = env.calibration.ratio(order.model.handle)
    load = load_of(ask(state, rules, Progress(), order.model, None).request, window, ratio)
    plan = plan_at_rest(state, load, settings)
    if plan is None:
        raise NothingToCompact(len(state.context))
    return Shrinking(state, settings, plan, load)


async def shrink(env: Environment, order: Order, work: Shrinking, stop: Stop) -> Shrunk:
    """Have the summary written and put it in place, with the end of the run. Raises `Stopped`."""
    state, plan, load = work.state, work.plan, work.load
    with stop.interruptible():
        summary = await summarise(env, order, state, plan, work.settings)
    before, after = len(state.context), len(state.context) - len(plan.evicted) + 1
    tokens = taken_after(plan, load, summary.text)
    counted = Compaction(TRIGGER, load.window, before, after, load.size.total, tokens)
    draft = summary_draft(summary, counted, order.run.id)
    end = RunEnd("end_turn", {**asdict(summary.tokens), "steps": 1, "context": tokens})
    await env.db.write(save.save_compaction, state, summary.step, draft, plan.kept, end)
    if env.traces:
        env.traces.add(summary.step, summary.exchange)
    return Shrunk(text_of(draft.parts), before, after)
