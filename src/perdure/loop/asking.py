"""What one step asks of the model: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.agents.model_settings import context_window, in_force
from perdure.loop.decide import Progress
from perdure.loop.legacy import is_legacy, with_inner_parameters
from perdure.loop.request import conversation
from perdure.loop.skills import with_skills
from perdure.loop.state import TurnState
from perdure.providers.base import ModelRequest, ToolChoice, ToolSpec
from perdure.providers.entries import ResolvedModel
from perdure.tools.rules import Offer, ToolRules
from perdure.tools.store import ToolRow

MIN_RETURN_CHARS = 5000
RETURN_SHARE = 0.8  # of the context window, a character counted as a token


@dataclass(frozen=True, slots=True)
class Asking:
    """A request and what it offers."""

    request: ModelRequest
    offer: Offer
    parallel: bool


def ask(
    state: TurnState,
    rules: ToolRules,
    progress: Progress,
    model: ResolvedModel,
    system: str | None,
    client_tools: Sequence[ToolSpec] = (),
    skills: str = "",
) -> Asking:
    """The request of a step; `system` takes the place of the compiled prompt for this turn.

    `client_tools` are offered beside the agent's, and instead of those of the same name; `skills` is the
    section of the prompt that tells of the client's.
    """
    options = in_force(state.agent.model_settings)
    theirs = {tool.name for tool in client_tools}
    ours = [tool.name for tool in state.tools if tool.name not in theirs]
    offer = rules.offer([*ours, *theirs], progress.history)
    must_call = offer.forced or is_legacy(state.agent.agent_type)
    parallel = options.parallel_tool_calls and rules.parallel_allowed()
    window = context_window(state.agent.context_window_limit, model.context_window)
    request = ModelRequest(
        model=model.model,
        system=with_skills(system if system is not None else state.prompt, skills),
        messages=conversation(
            [row for row in state.context if row.id != state.thread.prompt_message_id],
            timezone=state.agent.timezone,
            return_limit=return_limit(window),
        ),
        tools=(
            *_specs(state, rules, offer, theirs, strict=options.strict),
            *(tool for tool in client_tools if tool.name in offer.names),
        ),
        tool_choice=_choice(offer.names, must_call),
        parallel_tool_calls=parallel,
        temperature=options.temperature,
        max_output_tokens=options.max_output_tokens,
        reasoning_effort=options.reasoning_effort,
        thinking_budget=options.thinking_budget,
        response_format=options.response_format,
    )
    return Asking(request, offer, parallel)


def return_limit(window: int) -> int:
    """The most characters that a model is shown of a tool's return."""
    return max(MIN_RETURN_CHARS, int(RETURN_SHARE * window))


def _choice(offered: Sequence[str], must_call: bool) -> ToolChoice:
    if not must_call or not offered:
        return ToolChoice("auto")
    return ToolChoice("named", offered[0]) if len(offered) == 1 else ToolChoice("required")


def _specs(
    state: TurnState, rules: ToolRules, offer: Offer, theirs: set[str], *, strict: bool
) -> tuple[ToolSpec, ...]:
    names = set(offer.names) - theirs
    return tuple(_spec(tool, state, rules, strict) for tool in state.tools if tool.name in names)


def _spec(tool: ToolRow, state: TurnState, rules: ToolRules, strict: bool) -> ToolSpec:
    parameters = tool.parameters
    if is_legacy(state.agent.agent_type):
        parameters = with_inner_parameters(parameters, terminal=rules.ends_turn(tool.name))
    return ToolSpec(tool.name, tool.description, parameters, strict)
