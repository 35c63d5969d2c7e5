"""Whether a request fits, and what must leave where it does not: pure."""

from dataclasses import dataclass

from perdure.agents.schemas.compaction import CompactionSettings
from perdure.content.estimate import message_tokens, text_tokens
from perdure.loop.asking import return_limit
from perdure.loop.compaction.cut import FORCES, Plan, kept_from, plan_cut
from perdure.loop.measure import Size, goal_of, limit_of, size_of
from perdure.loop.request import told_as
from perdure.loop.state import TurnState
from perdure.messages.store import MessageRow
from perdure.providers.base import ContextOverflow, ModelRequest


class ContextFull(ContextOverflow):
    """What must be sent is more than the context window holds."""

    error_type = "context_window_overflow_in_system_prompt"

    @classmethod
    def by_prompt(cls, load: "Load") -> "ContextFull":
        """The system prompt alone is too much."""
        return cls(
            f"The system prompt, with its memory blocks and tools, takes about {load.size.fixed} tokens, but "
            f"the context window is {load.window}. Shorten memory blocks or instructions, detach tools, or "
            "raise context_window_limit."
        )

    @classmethod
    def by_rest(cls, error: ContextOverflow) -> "ContextFull":
        """The provider refuses even what cannot leave."""
        return cls(
            "The request does not fit the model's context window, and nothing of it can be left out: what "
            "remains is the system prompt and what was said last. Send less at once, shorten memory "
            f"blocks, or lower context_window_limit to what the model really reads. {error.detail}"
        )


@dataclass(frozen=True, slots=True)
class Load:
    """A request's size as its provider would count it, and the window it is for.

    `estimated` is what we count ourselves; `ratio` is between the two.
    """

    size: Size
    estimated: int
    ratio: float
    window: int
    limit: int

    @property
    def is_over(self) -> bool:
        """Whether the history must be compacted before this is sent."""
        return self.size.total > self.limit


def load_of(request: ModelRequest, window: int, ratio: float) -> Load:
    """How much of the window a request takes."""
    estimated = size_of(request)
    size = estimated.scaled(ratio)
    limit = limit_of(window, size.fixed, request.max_output_tokens)
    return Load(size, estimated.total, ratio, window, limit)


def said_in(state: TurnState) -> tuple[MessageRow, ...]:
    """What is in context beside the system message."""
    return tuple(row for row in state.context if row.id != state.thread.prompt_message_id)


def plan_in_turn(state: TurnState, load: Load, settings: CompactionSettings, force: int) -> Plan | None:
    """What leaves so that a step can be taken; None if nothing can.

    `force` counts how often the provider has said that it is still too much.
    """
    harder = range(force, len(FORCES)) if force else (0,)
    plans = (_plan(state, load, settings, force) for force in harder)
    return next((plan for plan in plans if plan), None)


def _plan(state: TurnState, load: Load, settings: CompactionSettings, force: int) -> Plan | None:
    rows = said_in(state)
    tokens = row_tokens(state, load.window)
    goal = _goal(load, settings)
    if force:
        goal = round(min(goal, sum(tokens)) * FORCES[force])
    keep = kept_from(rows, hard=force == len(FORCES) - 1)
    if load.size.fixed + load.ratio * sum(tokens[keep:]) > load.window:
        keep = kept_from(rows, hard=True)
    whole = settings.mode.endswith("all") or goal == 0
    return plan_cut(rows, tokens, goal, keep=keep, whole=whole, most_summary=settings.clip_chars)


def plan_at_rest(state: TurnState, load: Load, settings: CompactionSettings) -> Plan | None:
    """What leaves when somebody asks for it between two turns; None where that would spare no message."""
    rows = said_in(state)
    tokens = row_tokens(state, load.window)
    goal, most = _goal(load, settings), settings.clip_chars
    for whole in (settings.mode.endswith("all"), True):
        plan = plan_cut(rows, tokens, goal, keep=len(rows), whole=whole, most_summary=most)
        if plan and len(plan.evicted) > 1:
            return plan
    return None


def _goal(load: Load, settings: CompactionSettings) -> int:
    """What the messages may take afterwards, in tokens as we estimate them."""
    goal = goal_of(load.window, load.limit, load.size.fixed, settings.sliding_window_percentage)
    return int(goal / load.ratio)


def row_tokens(state: TurnState, window: int) -> list[int]:
    """About what each message takes as the model is told it."""
    limit, zone = return_limit(window), state.agent.timezone
    return [message_tokens(told_as(row, zone, limit)) for row in said_in(state)]


def taken_after(plan: Plan, load: Load, summary: str) -> int:
    """What the request takes with this summary in the place of what left."""
    return load.size.fixed + round(load.ratio * (plan.kept_tokens + text_tokens(summary)))
