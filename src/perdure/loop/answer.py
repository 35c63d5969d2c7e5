"""Puts a model's events together into the parts of one answer."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from perdure.content.parts import Part, Reasoning, Text, ToolCall
from perdure.kit.ids import new_id
from perdure.kit.text import storable
from perdure.providers.base import (
    Exchange,
    Finish,
    FinishReason,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from perdure.providers.entries import ResolvedModel
from perdure.runs.store import Tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: reasoning and text in the order they came, then the calls."""

    parts: tuple[Part, ...]
    finish: FinishReason
    usage: Usage


@dataclass(slots=True)
class _Text:
    pieces: list[str] = field(default_factory=list[str])

    def part(self) -> Text:
        return Text("".join(self.pieces))


@dataclass(slots=True)
class _Reasoning:
    vendor: str
    index: int
    pieces: list[str] = field(default_factory=list[str])
    signature: list[str] = field(default_factory=list[str])
    redacted: bool = False
    id: str | None = None

    def part(self) -> Reasoning:
        signature = "".join(self.signature) or None
        return Reasoning("".join(self.pieces), signature, self.redacted, self.vendor, self.id)


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    pieces: list[str] = field(default_factory=list[str])

    def part(self) -> ToolCall:
        return ToolCall(self.id, self.name, "".join(self.pieces))


@dataclass(slots=True)
class AnswerBuilder:
    """Takes events one by one; `answer` when the model has finished, `partial` when it broke off."""

    vendor: str
    parallel: bool = True
    taken: Callable[[str], bool] = lambda _: False  # whether an earlier call of the history has this id
    _said: list[_Text | _Reasoning] = field(default_factory=list[_Text | _Reasoning])
    _calls: dict[int, _Call] = field(default_factory=dict[int, _Call])
    _finish: Finish | None = None

    def add(self, event: ModelEvent) -> ModelEvent | None:
        """Take the next event; returns what of it is kept. Without `parallel` that is one call only."""
        event = storable(event)
        match event:
            case TextDelta(text):
                self._text().pieces.append(text)
            case ReasoningDelta():
                self._add_reasoning(event)
            case ToolCallStart(index, id, name):
                if self._calls and not self.parallel:
                    return None
                event = ToolCallStart(index, self._unused(id), name)
                self._calls[index] = _Call(event.id, name)
            case ToolCallDelta(index, arguments):
                if index not in self._calls:
                    return None
                self._calls[index].pieces.append(arguments)
            case Finish():
                self._finish = event
        return event

    def _unused(self, id: str) -> str:
        """The model's id of a call, or a fresh one where it gave none, or one that names another call."""
        known = not id or any(call.id == id for call in self._calls.values()) or self.taken(id)
        return new_id("call") if known else id

    def _text(self) -> _Text:
        last = self._said[-1] if self._said else None
        if not isinstance(last, _Text):
            last = _Text()
            self._said.append(last)
        return last

    def _add_reasoning(self, delta: ReasoningDelta) -> None:
        last = self._said[-1] if self._said else None
        if not isinstance(last, _Reasoning) or last.index != delta.index:
            last = _Reasoning(self.vendor, delta.index)
            self._said.append(last)
        last.pieces.append(delta.text)
        if delta.signature:
            last.signature.append(delta.signature)
        last.redacted = last.redacted or delta.redacted
        last.id = delta.id or last.id

    def answer(self) -> Answer:
        """The whole answer."""
        calls = [call.part() for _, call in sorted(self._calls.items())]
        finish = self._finish or Finish("tool_calls" if calls else "stop")
        return Answer((*self._parts(), *calls), finish.reason, finish.usage)

    def partial(self) -> tuple[Part, ...]:
        """What can be kept of an answer that broke off: its text, and no half-made call."""
        return tuple(part for part in self._parts() if isinstance(part, Text))

    def _parts(self) -> tuple[Part, ...]:
        parts = tuple(piece.part() for piece in self._said)
        return tuple(part for part in parts if not isinstance(part, Text) or part.text.strip())


async def answer_of(model: ResolvedModel, request: ModelRequest, exchange: Exchange | None = None) -> Answer:
    """The whole answer to a request that nobody follows piece by piece."""
    builder = AnswerBuilder(model.provider_type)
    async with aclosing(model.client.stream(request, exchange)) as events:
        async for event in events:
            builder.add(event)
    return builder.answer()


def spent_on(usage: Usage) -> Tokens:
    """The tokens of a model's call, as runs count them."""
    return Tokens(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
