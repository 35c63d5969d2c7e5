"""A turn's events as the frames of a stream: pure.

Clients build tool arguments by joining the `arguments` of frames that share a `tool_call_id`, so a
call that was streamed piece by piece is never sent again whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from perdure.chat.schemas import StopReason, UsageStatistics
from perdure.content.parts import calls_of
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.loop.events import Compacting, Delta, Ended, Saved, TurnEvent
from perdure.messages.render import piece_otid, render_all
from perdure.messages.schemas import (
    ApprovalRequestMessage,
    AssistantMessage,
    EventMessage,
    HiddenReasoningMessage,
    LettaMessage,
    ReasoningMessage,
    ToolCallMessage,
)
from perdure.messages.spoken import MessageTool
from perdure.messages.store import MessageRow
from perdure.providers.base import ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStart

ANSWERS = ("assistant", "approval")


@dataclass(slots=True)
class Projection:
    """Turns events into frames for one caller's wishes."""

    run_id: str
    tokens: bool = False
    types: Sequence[str] | None = None
    message_tool: MessageTool | None = None
    compactions: bool = False  # whether the caller wants to know of them
    _piece: tuple[str, str, int] = ("", "", -1)  # message id, kind, index of the piece being streamed
    _calls: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    _streamed: set[str] = field(default_factory=set[str])
    _blank: str = ""  # text that may be nothing but space before a call, which is not stored either

    def copy(self) -> "Projection":
        """Another one that has told the same."""
        return replace(self, _calls=dict(self._calls), _streamed=set(self._streamed))

    def frames(self, event: TurnEvent) -> Iterator[BaseModel]:
        """The frames of one event, in order; often none."""
        match event:
            case Delta() if self.tokens:
                frame = self._delta(event)
                if frame and (self.types is None or frame.message_type in self.types):
                    yield frame
            case Saved(message, of_compaction) if self.compactions or not of_compaction:
                yield from self._saved(message)
            case Compacting() if self.compactions:
                yield from self._compacting(event)
            case Ended():
                yield StopReason(stop_reason=event.stop_reason)
                yield usage_of(event)
            case _:
                pass

    def _compacting(self, event: Compacting) -> Iterator[BaseModel]:
        if self.types is None or "event_message" in self.types:
            yield EventMessage(
                id=new_id("message"),
                date=now(),
                step_id=event.step_id,
                run_id=self.run_id,
                event_type="compaction",
                event_data={
                    "trigger": event.trigger,
                    "context_token_estimate": event.context_tokens,
                    "context_window": event.context_window,
                },
            )

    def _saved(self, message: MessageRow) -> Iterator[BaseModel]:
        """A whole message, without what its deltas already told."""
        if message.role in ("user", "system") or (message.role == "approval" and not calls_of(message.parts)):
            return
        told = message.role in ANSWERS and message.id in self._streamed
        wire = render_all([message], message_tool=self.message_tool, types=self.types)
        yield from self._spoken(message, wire) if told else wire

    def _spoken(self, message: MessageRow, wire: Sequence[LettaMessage]) -> Sequence[LettaMessage]:
        """What the message tool's calls say; they follow the text and are not streamed piece by piece."""
        tool = self.message_tool
        count = sum(call.name == tool.name for call in calls_of(message.parts)) if tool else 0
        said = [item for item in wire if isinstance(item, AssistantMessage)]
        return said[len(said) - count :]

    def _delta(self, delta: Delta) -> Any:
        match delta.event:
            case TextDelta(text) if text:
                return self._text(delta, text)
            case ReasoningDelta() as event:
                return self._reasoning(delta, event)
            case ToolCallStart(index, id, name):
                self._calls[index] = (id, name)
                return self._call(delta, name, {"name": name, "tool_call_id": id})
            case ToolCallDelta(index, arguments):
                id, name = self._calls[index]
                return self._call(delta, name, {"arguments": arguments, "tool_call_id": id})
            case _:
                return None

    def _text(self, delta: Delta, text: str) -> Any:
        text = self._blank + text
        talking = self._piece[:2] == (delta.message_id, "text")
        self._blank = "" if talking or text.strip() else text
        return None if self._blank else AssistantMessage(**self._common(delta, "text"), content=text)

    def _reasoning(self, delta: Delta, event: ReasoningDelta) -> Any:
        common = self._common(delta, f"reasoning {event.index}")
        if event.redacted:
            return HiddenReasoningMessage(**common, state="redacted", hidden_reasoning=event.signature)
        return ReasoningMessage(**common, reasoning=event.text, signature=event.signature)

    def _call(self, delta: Delta, name: str, piece: dict[str, str]) -> Any:
        if self.message_tool and name == self.message_tool.name:
            self._streamed.add(delta.message_id)
            return None
        kind = ApprovalRequestMessage if delta.asks else ToolCallMessage
        return kind(**self._common(delta, "calls"), tool_call=piece, tool_calls=piece)

    def _common(self, delta: Delta, kind: str) -> dict[str, Any]:
        message_id, last_kind, index = self._piece
        if message_id != delta.message_id:
            index, last_kind = -1, ""
        if kind != last_kind:
            index += 1
        self._piece, self._blank = (delta.message_id, kind, index), ""
        self._streamed.add(delta.message_id)
        return {
            "id": delta.message_id,
            "date": now(),
            "otid": piece_otid(delta.message_id, index),
            "step_id": delta.step_id,
            "run_id": self.run_id,
        }


def usage_of(ended: Ended) -> UsageStatistics:
    """The tokens of a whole turn."""
    tokens = ended.tokens
    return UsageStatistics(
        completion_tokens=tokens.completion,
        prompt_tokens=tokens.prompt,
        total_tokens=tokens.total,
        step_count=ended.steps,
        cached_input_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning,
        context_tokens=ended.context_tokens,
    )
