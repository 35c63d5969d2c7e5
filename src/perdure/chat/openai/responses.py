"""An agent's answer as an OpenAI response, whole or as its events: pure but for following the run."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel

from perdure.chat.openai.completions import ALIVE
from perdure.chat.schemas import ErrorMessage, StopReason, UsageStatistics
from perdure.chat.words import Words, finish_reason, words_of
from perdure.kit.clock import now
from perdure.runs.live import LiveRun

Event = dict[str, Any]


@dataclass(slots=True)
class Utterance:
    """One thing the agent says or thinks, while it grows."""

    id: str
    thought: bool
    index: int
    text: str = ""

    def item(self, status: str) -> dict[str, Any]:
        """It as an item of the output."""
        if self.thought:
            summary = [{"type": "summary_text", "text": self.text}] if self.text else []
            return {"id": self.id, "type": "reasoning", "summary": summary, "status": status}
        content = [self.part()] if self.text else []
        return {"id": self.id, "type": "message", "role": "assistant", "status": status, "content": content}

    def part(self) -> dict[str, Any]:
        """Its text as a part of an item."""
        if self.thought:
            return {"type": "summary_text", "text": self.text}
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": []}

    def place(self) -> dict[str, Any]:
        """Where its part is, for events."""
        inner = "summary_index" if self.thought else "content_index"
        return {"item_id": self.id, "output_index": self.index, inner: 0}

    def names(self) -> tuple[str, str]:
        """What its part and its text are called in events."""
        if self.thought:
            return "reasoning_summary_part", "reasoning_summary_text"
        return "content_part", "output_text"


@dataclass(slots=True)
class Told:
    """A response that is being told, event by event. Its id is made of the run's."""

    run_id: str
    model: str
    created: int = field(default_factory=lambda: int(now().timestamp()))
    _said: list[Utterance] = field(default_factory=list[Utterance])
    _open: bool = False
    _status: str = "in_progress"
    _error: dict[str, str] | None = None
    _usage: UsageStatistics | None = None

    def begin(self) -> list[Event]:
        """The events before anything is said."""
        return [
            {"type": f"response.{name}", "response": self.response()} for name in ("created", "in_progress")
        ]

    def events(self, frame: BaseModel) -> Iterator[Event]:
        """The events of one frame; often none."""
        if words := words_of(frame):
            yield from self._say(words)
        match frame:
            case StopReason():
                limited = finish_reason(frame.stop_reason) == "length"
                self._status = "incomplete" if limited else "completed"
            case UsageStatistics():
                self._usage = frame
                yield from self._close()
                yield {"type": f"response.{self._status}", "response": self.response()}
            case ErrorMessage():
                self._status = "failed"
                self._error = {"code": frame.error_type, "message": frame.message}
                yield from self._close()
                yield {"type": "response.failed", "response": self.response()}
            case _:
                pass

    def _say(self, words: Words) -> Iterator[Event]:
        if not self._open or self._said[-1].id != _id(words):
            yield from self._close()
            yield from self._begin(words)
        said = self._said[-1]
        said.text += words.text
        delta = {"type": f"response.{said.names()[1]}.delta", **said.place(), "delta": words.text}
        yield delta if said.thought else {**delta, "logprobs": []}

    def _begin(self, words: Words) -> Iterator[Event]:
        said = Utterance(_id(words), words.kind == "reasoning_content", len(self._said))
        self._said.append(said)
        self._open = True
        item = said.item("in_progress")
        yield {"type": "response.output_item.added", "output_index": said.index, "item": item}
        yield {"type": f"response.{said.names()[0]}.added", **said.place(), "part": said.part()}

    def _close(self) -> Iterator[Event]:
        """End the last utterance, if it has not ended yet."""
        if not self._open:
            return
        self._open = False
        said = self._said[-1]
        part, text = said.names()
        done = {"type": f"response.{text}.done", **said.place(), "text": said.text}
        yield done if said.thought else {**done, "logprobs": []}
        yield {"type": f"response.{part}.done", **said.place(), "part": said.part()}
        item = said.item("completed")
        yield {"type": "response.output_item.done", "output_index": said.index, "item": item}

    def whole(self, frames: Sequence[BaseModel]) -> dict[str, Any]:
        """The answer to a caller that waited."""
        for frame in frames:
            for _ in self.events(frame):
                pass
        return self.response()

    def response(self) -> dict[str, Any]:
        """The response as it is by now."""
        limited = self._status == "incomplete"
        return {
            "id": self.run_id.replace("run-", "resp_", 1),
            "object": "response",
            "created_at": self.created,
            "status": self._status,
            "error": self._error,
            "incomplete_details": {"reason": "max_output_tokens"} if limited else None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": [said.item("completed") for said in self._said],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": _usage(self._usage) if self._usage else None,
        }


def _id(words: Words) -> str:
    return f"{'rs' if words.kind == 'reasoning_content' else 'msg'}_{words.utterance}"


def _usage(usage: UsageStatistics) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.total_tokens,
    }


async def response_stream(run: LiveRun, told: Told, *, silence: float) -> AsyncIterator[bytes]:
    """Follow a run as numbered events; a comment whenever it is silent for long."""
    number = 0
    for happened in told.begin():
        yield _encode(happened, number)
        number += 1
    async for frame in run.follow(silence=silence):
        if frame is None:
            yield ALIVE
            continue
        for happened in told.events(frame.model):
            yield _encode(happened, number)
            number += 1


def _encode(happened: Event, number: int) -> bytes:
    data = orjson.dumps({**happened, "sequence_number": number})
    return b"event: " + happened["type"].encode() + b"\ndata: " + data + b"\n\n"
