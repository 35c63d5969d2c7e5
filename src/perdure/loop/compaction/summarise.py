"""Has a summary written. A model that fails stops nothing: then it is made without one, and says so."""

import asyncio
import logging
from dataclasses import asdict, dataclass, field, replace

from perdure.agents.model_settings import ModelOptions, context_window, in_force
from perdure.agents.schemas.compaction import CompactionSettings
from perdure.content.estimate import text_tokens
from perdure.content.parts import Message, Text, text_of
from perdure.kit.errors import PerdureError
from perdure.loop.answer import Answer, answer_of, spent_on
from perdure.loop.asking import ask
from perdure.loop.compaction.cut import Plan
from perdure.loop.compaction.words import (
    ACKNOWLEDGED,
    ANNOUNCED,
    JOIN,
    PIECE,
    fitted,
    instructions,
    mechanical,
    pieces,
    self_instructions,
    transcript,
    words_in,
)
from perdure.loop.decide import Progress
from perdure.loop.measure import size_of
from perdure.loop.order import Environment, Order, done, new_step
from perdure.loop.state import TurnState
from perdure.providers.base import ContextOverflow, Exchange, ModelError, ModelRequest, ToolChoice
from perdure.providers.entries import ResolvedModel
from perdure.runs.store import StepRow, Tokens
from perdure.tools.rules import ToolRules

log = logging.getLogger(__name__)

INPUT_SHARE = 0.7  # of the summariser's window; the rest is for its answer and for our error
AT_ONCE = 4
LEAST_ROOM = 200  # tokens: a model that cannot read that much summarises nothing


class NothingWritten(PerdureError):
    """A model answered a request for a summary without words."""

    status = 502


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary and the step in which it was written; a failed step tells why it is makeshift."""

    text: str
    step: StepRow
    exchange: Exchange

    @property
    def tokens(self) -> Tokens:
        return self.step.tokens


@dataclass(slots=True)
class Summariser:
    """One model writing one summary, in as many calls as it needs."""

    model: ResolvedModel
    window: int
    options: ModelOptions
    system: str
    acknowledged: bool
    spent: Tokens = field(default_factory=Tokens)
    exchange: Exchange = field(default_factory=Exchange)

    async def from_text(self, text: str, room: int) -> str:
        """The summary of a transcript; of parts of it first, where they do not fit together.

        A model that finds `room` tokens too many is shown less at a time.
        """
        while True:
            try:
                return await self._joined(text, room)
            except ContextOverflow:
                room //= 2
                if room < LEAST_ROOM:
                    raise

    async def from_history(self, request: ModelRequest) -> str:
        """The summary that an agent's model writes at the end of the history itself."""
        return self._words(await self._ask(request))

    async def _joined(self, text: str, room: int) -> str:
        parts = pieces(text, room)
        if len(parts) == 1:
            return await self._summary(f"<conversation>\n{text}\n</conversation>")
        notes = [PIECE.format(number=i, count=len(parts)) for i in range(1, len(parts) + 1)]
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(note: str, part: str) -> str:
            async with turns:
                return await self._summary(f"{note}\n\n<conversation>\n{part}\n</conversation>")

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(*pair)) for pair in zip(notes, parts, strict=True)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        joined = "\n\n".join(task.result() for task in tasks)
        if text_tokens(joined) >= text_tokens(text):  # it does not get shorter this way
            raise NothingWritten("the summaries of its parts were longer than the conversation")
        return await self._joined(f"{JOIN}\n\n{joined}", room)

    async def _summary(self, text: str) -> str:
        said = [Message("user", (Text(text),))]
        if self.acknowledged:
            agreed = (Message("user", (Text(ANNOUNCED),)), Message("assistant", (Text(ACKNOWLEDGED),)))
            said = [*agreed, *said]
        request = ModelRequest(
            model=self.model.model,
            system=self.system,
            messages=tuple(said),
            temperature=self.options.temperature,
            max_output_tokens=self.options.max_output_tokens,
            reasoning_effort=self.options.reasoning_effort,
            thinking_budget=self.options.thinking_budget,
        )
        return self._words(await self._ask(request))

    async def _ask(self, request: ModelRequest) -> Answer:
        self.exchange = Exchange()
        answer = await answer_of(self.model, request, self.exchange)
        self.spent += spent_on(answer.usage)
        return answer

    def _words(self, answer: Answer) -> str:
        words = text_of(answer.parts).strip()
        if not words:
            raise NothingWritten("the model's answer was empty")
        return words


async def summarise(
    env: Environment, order: Order, state: TurnState, plan: Plan, settings: CompactionSettings
) -> Summary:
    """The summary of what leaves. Raises nothing but cancellation."""
    why, failed = "", None
    for model in await _models(env, order, state, settings):
        writer = _summariser(order, state, plan, settings, model)
        step = replace(new_step(order.run, model, writer.window), aside=True)
        try:
            async with asyncio.timeout(env.summaries.seconds):
                text = await _written(writer, order, state, plan, settings)
        except (ModelError, NothingWritten, TimeoutError) as error:
            why = str(error) or f"it took longer than {env.summaries.seconds:g} seconds"
            failed = Summary("", _taken(step, writer, why), writer.exchange)
            log.warning("a summary could not be written", extra={"run_id": order.run.id, "reason": why})
            continue
        return Summary(_fitted(text, plan, settings), _taken(step, writer), writer.exchange)
    assert failed
    text = mechanical(plan.evicted, plan.summary_tokens, why)
    return replace(failed, text=_fitted(text, plan, settings))


def _fitted(text: str, plan: Plan, settings: CompactionSettings) -> str:
    return fitted(text, plan.summary_tokens, settings.clip_chars)


def _taken(step: StepRow, writer: Summariser, failure: str | None = None) -> StepRow:
    step = replace(step, usage=asdict(writer.spent))
    if failure is None:
        return done(step, "success")
    failed = done(step, "failed", "error")
    return replace(failed, error_type="summary_failed", error_data={"message": failure})


async def _models(
    env: Environment, order: Order, state: TurnState, settings: CompactionSettings
) -> list[ResolvedModel]:
    """Who may write it, in order: the model of the settings, then the agent's own."""
    own = order.model
    if settings.mode.startswith("self") or settings.model in (None, own.handle) or env.resolve is None:
        return [own]
    try:
        return [await env.resolve(state.actor, settings.model), own]
    except PerdureError as error:
        log.info("the agent's own model writes the summary: %s", error)
        return [own]


def _summariser(
    order: Order, state: TurnState, plan: Plan, settings: CompactionSettings, model: ResolvedModel
) -> Summariser:
    named = settings.model_settings.named() if settings.model_settings else {}
    own = model.handle == order.model.handle
    return Summariser(
        model,
        context_window(state.agent.context_window_limit if own else None, model.context_window),
        in_force(named),
        instructions(settings.mode, settings.prompt, words_in(plan.summary_tokens)),
        settings.prompt_acknowledgement,
    )


async def _written(
    writer: Summariser, order: Order, state: TurnState, plan: Plan, settings: CompactionSettings
) -> str:
    if settings.mode.startswith("self"):
        request = self_request(order, state, plan, settings)
        if size_of(request).total < writer.window:
            try:
                return await writer.from_history(request)
            except (ContextOverflow, NothingWritten) as error:
                log.info("summarised from a transcript, not from the history itself: %s", error)
    room = int(writer.window * INPUT_SHARE) - text_tokens(writer.system)
    return await writer.from_text(transcript(plan.evicted, state.agent.timezone), max(room, LEAST_ROOM))


def self_request(order: Order, state: TurnState, plan: Plan, settings: CompactionSettings) -> ModelRequest:
    """What an agent's own model is asked: the history as it saw it, for the vendor's cache, and the wish."""
    rules = ToolRules.of(state.agent.tool_rules, attached=[tool.name for tool in state.tools])
    before = replace(state, context=plan.evicted)
    request = ask(
        before, rules, Progress(), order.model, order.system, order.client_tools, order.skills
    ).request
    wish = self_instructions(settings.prompt, words_in(plan.summary_tokens))
    return replace(
        request,
        messages=(*request.messages, Message("user", (Text(wish),))),
        tool_choice=ToolChoice("auto"),
        response_format=None,
    )
