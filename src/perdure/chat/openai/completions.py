"""An agent's answer as a chat completion, whole or in chunks: pure but for following the run."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel

from perdure.chat.schemas import ErrorMessage, StopReason, UsageStatistics
from perdure.chat.stream import DONE
from perdure.chat.words import Words, finish_reason, words_of
from perdure.kit.clock import now
from perdure.runs.live import LiveRun

PARTING = "\n\n"  # between two utterances of one answer
ALIVE = b": the agent is at work\n\n"  # a comment: clients skip it


@dataclass(slots=True)
class Completion:
    """One answer. Its id is made of the run's, so that the run can be found."""

    run_id: str
    model: str
    created: int = field(default_factory=lambda: int(now().timestamp()))
    _last: dict[str, str] = field(default_factory=dict[str, str])
    _reason: str = "stop"

    def whole(self, frames: Sequence[BaseModel]) -> dict[str, Any]:
        """The answer to a caller that waited."""
        said = {"content": "", "reasoning_content": ""}
        usage = UsageStatistics()
        for frame in frames:
            if words := words_of(frame):
                said[words.kind] += self._parted(words)
            if isinstance(frame, StopReason):
                self._reason = finish_reason(frame.stop_reason)
            elif isinstance(frame, UsageStatistics):
                usage = frame
        message: dict[str, Any] = {"role": "assistant", "content": said["content"], "refusal": None}
        if said["reasoning_content"]:
            message["reasoning_content"] = said["reasoning_content"]
        choice = {"index": 0, "message": message, "finish_reason": self._reason, "logprobs": None}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_of(usage)}

    def chunks(self, frame: BaseModel, *, usage: bool) -> list[dict[str, Any]]:
        """The chunks that tell a frame; often none."""
        told: list[dict[str, Any]] = []
        if words := words_of(frame):
            told.append(self.chunk({words.kind: self._parted(words)}))
        match frame:
            case StopReason():  # told once it is known that no error follows
                self._reason = finish_reason(frame.stop_reason)
            case UsageStatistics():
                told.append(self.chunk({}, self._reason))
                if usage:
                    head = self._head("chat.completion.chunk")
                    told.append({**head, "choices": [], "usage": usage_of(frame)})
            case ErrorMessage():
                error = {"message": frame.message, "type": "server_error", "param": None}
                told.append({"error": {**error, "code": frame.error_type}})
            case _:
                pass
        return told

    def chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        """One chunk of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        id = self.run_id.replace("run-", "chatcmpl-", 1)
        return {"id": id, "object": kind, "created": self.created, "model": self.model}

    def _parted(self, words: Words) -> str:
        """The text, after an empty line where another utterance of its kind came before."""
        before = self._last.get(words.kind, words.utterance)
        self._last[words.kind] = words.utterance
        return words.text if before == words.utterance else PARTING + words.text


def usage_of(usage: UsageStatistics) -> dict[str, Any]:
    """Tokens in OpenAI's words; all steps of the turn together."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }


async def chunk_stream(
    run: LiveRun, completion: Completion, *, usage: bool, silence: float
) -> AsyncIterator[bytes]:
    """Follow a run as chunks, `[DONE]` at its end; a comment whenever it is silent for long."""
    yield event(completion.chunk({"role": "assistant", "content": ""}))
    async for frame in run.follow(silence=silence):
        if frame is None:
            yield ALIVE
            continue
        for chunk in completion.chunks(frame.model, usage=usage):
            yield event(chunk)
    if not run.cut:  # else it goes on elsewhere: who reads this knows that there is more
        yield DONE


def event(data: dict[str, Any]) -> bytes:
    """An unnamed server-sent event."""
    return b"data: " + orjson.dumps(data) + b"\n\n"
