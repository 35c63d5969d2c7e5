"""Reads a streamed answer in the chat-completions format, frame by frame. Pure."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

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
from perdure.providers.vendors.chat import DETAILS, REASONING_FIELDS
from perdure.providers.vendors.errors import error_in_stream
from perdure.providers.vendors.think_tags import ThinkTags

REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


class ChatAnswer:
    """The state of one answer: `feed` every frame, then ask for `finish`."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[int, tuple[int, str]] = {}
        self._started = 0
        self._reason: FinishReason | None = None
        self._usage = Usage()
        self._tags = ThinkTags()

    @property
    def complete(self) -> bool:
        """Whether the model said that it ended."""
        return self._reason is not None

    def feed(self, frame: dict[str, Any]) -> Iterator[ModelEvent]:
        """The events of one frame."""
        if frame.get("error"):
            raise error_in_stream(self._provider, frame["error"])
        groq: dict[str, Any] = frame.get("x_groq") or {}
        usage: dict[str, Any] | None = frame.get("usage") or groq.get("usage")
        if usage:
            self._usage = read_usage(usage)
        for choice in frame.get("choices") or ():
            delta = choice.get("delta") or choice.get("message")
            if delta:
                yield from self._delta(delta)
            reason = choice.get("finish_reason")
            if reason:
                self._reason = REASONS.get(reason, "stop")

    def finish(self) -> Iterator[ModelEvent]:
        """What was held back, and the end."""
        yield from self._spoken(self._tags.close())
        reason = self._reason or "stop"
        yield Finish("tool_calls" if reason == "stop" and self._started else reason, self._usage)

    def _delta(self, delta: dict[str, Any]) -> Iterator[ModelEvent]:
        if delta.get(DETAILS):
            yield from _details(delta[DETAILS])
        else:
            for name in REASONING_FIELDS:
                if delta.get(name):
                    yield ReasoningDelta(delta[name], id=name)
                    break
        content = delta.get("content")
        if content:
            yield from self._content(content)
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def _content(self, content: str | list[dict[str, Any]]) -> Iterator[ModelEvent]:
        if isinstance(content, str):
            yield from self._spoken(self._tags.feed(content))
            return
        for part in content:  # Mistral's reasoning models answer in parts
            if part.get("type") == "thinking":
                thought: Any = part.get("thinking")
                texts = (
                    [thought] if isinstance(thought, str) else [piece.get("text", "") for piece in thought]
                )
                yield ReasoningDelta("".join(texts))
            elif part.get("text"):
                yield TextDelta(part["text"])

    def _spoken(self, pieces: list[tuple[bool, str]]) -> Iterator[ModelEvent]:
        for thinking, text in pieces:
            yield ReasoningDelta(text) if thinking else TextDelta(text)

    def _call(self, call: dict[str, Any]) -> Iterator[ModelEvent]:
        function: Any = call.get("function") or {}
        place, name = call.get("index"), call.get("id")
        if place is None:  # some servers number nothing: an id begins a call
            place = self._started if name else self._started - 1
        known = self._calls.get(place)
        if known is None or (name and name != known[1]):
            if not function.get("name"):
                return
            known = self._calls[place] = (self._started, name or f"call_{uuid4().hex}")
            self._started += 1
            yield ToolCallStart(known[0], known[1], function["name"])
        arguments = function.get("arguments")
        if arguments:
            yield ToolCallDelta(known[0], arguments)


def _details(details: list[dict[str, Any]]) -> Iterator[ModelEvent]:
    """OpenRouter's reasoning, which may be signed or encrypted by the vendor behind it."""
    for place, detail in enumerate(details):
        kind, form = detail.get("type", "reasoning.text"), detail.get("format")
        index = detail.get("index")
        encrypted = kind == "reasoning.encrypted"
        yield ReasoningDelta(
            detail.get("text") or detail.get("summary") or "",
            detail.get("data") if encrypted else detail.get("signature"),
            redacted=encrypted,
            index=place if index is None else index,
            id=f"{DETAILS}:{kind}" + (f"|{form}" if form else ""),
        )


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens of a call, wherever the provider puts the details."""
    prompt: Any = usage.get("prompt_tokens_details") or {}
    output: Any = usage.get("completion_tokens_details") or {}
    cached: int | None = prompt.get("cached_tokens")
    for name in ("prompt_cache_hit_tokens", "cached_tokens"):
        cached = usage.get(name) if cached is None else cached
    return Usage(
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        cached,
        prompt.get("cache_write_tokens"),
        output.get("reasoning_tokens"),
    )
