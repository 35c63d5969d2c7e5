"""What follows an answer: the loop's decisions, pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.content.parts import ToolCall, ToolReturn, calls_of
from perdure.loop.answer import Answer
from perdure.tools.arguments import read_arguments
from perdure.tools.base import ToolFailed
from perdure.tools.rules import CalledTool, ToolRules, is_prefill_error

MAX_NUDGES = 3
MAX_MALFORMED = 3
# Answers that did not end by themselves.
BROKEN: Mapping[str, str] = {
    "length": "max_tokens_exceeded",
    "content_filter": "llm_api_error",
    "error": "invalid_llm_response",
}


@dataclass(frozen=True, slots=True)
class Finish:
    """The turn is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class RunTools:
    """Call these, then ask again."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class AskApproval:
    """A person must agree to `pending`; `free` calls wait with them."""

    free: tuple[ToolCall, ...]
    pending: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Nudge:
    """Tell the model which tools it still has to call, and ask again."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Continue:
    """Ask again."""


Decision = Finish | RunTools | AskApproval | Nudge


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a turn is: what was called, and how often the model had to be corrected."""

    history: tuple[CalledTool, ...] = ()
    nudges: int = 0
    malformed: int = 0


def decide(
    answer: Answer,
    rules: ToolRules,
    progress: Progress,
    *,
    must_call: bool,
    client_tools: Collection[str] = (),
) -> Decision:
    """What to do with an answer. With `must_call` (older agent types) plain text is a fault.

    Calls of `client_tools` wait for the client as others wait for a person.
    """
    calls = calls_of(answer.parts)
    if calls:
        pending = tuple(
            call for call in calls if call.name in client_tools or rules.needs_approval(call.name)
        )
        free = tuple(call for call in calls if call not in pending)
        return AskApproval(free, pending) if pending else RunTools(calls)
    if answer.finish in BROKEN:
        return Finish(BROKEN[answer.finish])
    missing = rules.missing_before_exit(progress.history)
    if missing and progress.nudges < MAX_NUDGES:
        return Nudge(missing)
    return Finish("no_tool_call" if must_call else "end_turn")


def after_tools(
    returns: Sequence[ToolReturn],
    calls: Sequence[ToolCall],
    rules: ToolRules,
    progress: Progress,
    *,
    must_call: bool,
) -> Finish | Continue:
    """Whether the turn goes on once its tools have returned."""
    if any(rules.ends_turn(returned.name) and returned.status == "success" for returned in returns):
        return Finish("tool_rule")
    spoilt = any(is_prefill_error(returned.text, returned.status) for returned in returns)
    if spoilt or progress.malformed >= MAX_MALFORMED:
        return Finish("invalid_tool_call")
    if must_call and not _goes_on(returns, calls, rules, progress):
        return Finish("end_turn")
    return Continue()


def _goes_on(
    returns: Sequence[ToolReturn], calls: Sequence[ToolCall], rules: ToolRules, progress: Progress
) -> bool:
    """Older agent types go on only when the model asks for it, a rule does, or a tool failed."""
    if any(returned.status == "error" or rules.continues(returned.name) for returned in returns):
        return True
    return any(wants_heartbeat(call) for call in calls) or bool(rules.missing_before_exit(progress.history))


def wants_heartbeat(call: ToolCall) -> bool:
    """Whether a call of an older agent type asks for another step."""
    arguments = parsed(call.arguments)
    return arguments is not None and arguments.get("request_heartbeat") is True


def parsed(arguments: str) -> dict[str, Any] | None:
    """The arguments of a call as an object, or None where they are not one."""
    try:
        return read_arguments(arguments)
    except ToolFailed:
        return None


def progressed(progress: Progress, calls: Sequence[ToolCall], returns: Sequence[ToolReturn]) -> Progress:
    """The progress after some calls returned."""
    broken = all(parsed(call.arguments) is None for call in calls)
    called = tuple(CalledTool(r.name, r.text, r.status) for r in returns)
    return Progress(progress.history + called, progress.nudges, progress.malformed + 1 if broken else 0)
