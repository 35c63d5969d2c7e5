"""Reads a streamed answer in Anthropic's messages format, event by event. Pure."""

from collections.abc import Iterator
from typing import Any

import orjson

from perdure.providers.base import (
    Finish,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from perdure.providers.vendors.errors import error_in_stream

REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicAnswer:
    """The state of one answer: `feed` every event, then ask for `finish`."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[int, int] = {}
        self._reason: FinishReason | None = None
        self._usage: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        """Whether the model said that it ended."""
        return self._reason is not None

    def feed(self, frame: dict[str, Any]) -> Iterator[ModelEvent]:
        """The events of one frame."""
        match frame.get("type"):
            case "content_block_delta":
                yield from self._delta(frame["index"], frame["delta"])
            case "content_block_start":
                yield from self._start(frame["index"], frame["content_block"])
            case "message_start":
                self._count(frame["message"].get("usage"))
            case "message_delta":
                self._count(frame.get("usage"))
                reason = frame["delta"].get("stop_reason")
                if reason:
                    self._reason = REASONS.get(reason, "stop")
            case "message":  # an answer in one piece, from a server that does not stream
                yield from self._whole(frame)
            case "error":
                raise error_in_stream(self._provider, frame["error"])
            case _:
                pass

    def finish(self) -> Iterator[ModelEvent]:
        """The end."""
        yield Finish(self._reason or "stop", read_usage(self._usage))

    def _count(self, usage: dict[str, Any] | None) -> None:
        self._usage |= {name: value for name, value in (usage or {}).items() if value is not None}

    def _start(self, index: int, block: dict[str, Any]) -> Iterator[ModelEvent]:
        match block["type"]:
            case "tool_use":
                self._calls[index] = len(self._calls)
                yield ToolCallStart(self._calls[index], block["id"], block["name"])
            case "redacted_thinking":
                yield ReasoningDelta("", block["data"], redacted=True, index=index)
            case "text" if block.get("text"):
                yield TextDelta(block["text"])
            case "thinking" if block.get("thinking") or block.get("signature"):
                yield ReasoningDelta(block.get("thinking", ""), block.get("signature") or None, index=index)
            case _:
                pass

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[ModelEvent]:
        match delta["type"]:
            case "text_delta":
                yield TextDelta(delta["text"])
            case "input_json_delta":
                if delta["partial_json"] and index in self._calls:
                    yield ToolCallDelta(self._calls[index], delta["partial_json"])
            case "thinking_delta":
                yield ReasoningDelta(delta["thinking"], index=index)
            case "signature_delta":
                yield ReasoningDelta("", delta["signature"], index=index)
            case _:
                pass

    def _whole(self, message: dict[str, Any]) -> Iterator[ModelEvent]:
        self._count(message.get("usage"))
        self._reason = REASONS.get(message.get("stop_reason") or "end_turn", "stop")
        for index, block in enumerate(message["content"]):
            yield from self._start(index, block)
            if block["type"] == "tool_use":
                # parsed by the frame's decoder, so its spelling is ours here; no streaming server does this
                yield ToolCallDelta(self._calls[index], _spelled(block["input"]))


def _spelled(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens of a call; what came from the cache and what was written to it is input too."""
    cached, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    details: Any = usage.get("output_tokens_details") or {}
    return Usage(
        (usage.get("input_tokens") or 0) + (cached or 0) + (written or 0),
        usage.get("output_tokens") or 0,
        cached,
        written,
        details.get("thinking_tokens"),
    )
