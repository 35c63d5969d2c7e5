"""Reads a streamed answer in OpenAI's Responses format, event by event. Pure."""

from collections.abc import Iterator
from typing import Any

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


class ResponsesAnswer:
    """The state of one answer: `feed` every event, then ask for `finish`."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[int, int] = {}
        self._filled: set[int] = set()
        self._reason: FinishReason | None = None
        self._usage: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        """Whether the model said that it ended."""
        return self._reason is not None

    def feed(self, frame: dict[str, Any]) -> Iterator[ModelEvent]:
        """The events of one frame."""
        place: int = frame.get("output_index", 0)
        match frame.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield TextDelta(frame["delta"])
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._filled.add(place)
                yield ReasoningDelta(frame["delta"], index=place, id=frame.get("item_id"))
            case "response.reasoning_summary_part.added" if frame.get("summary_index"):
                yield ReasoningDelta("\n\n", index=place, id=frame.get("item_id"))
            case "response.function_call_arguments.delta":
                self._filled.add(place)
                yield ToolCallDelta(self._calls[place], frame["delta"])
            case "response.output_item.added":
                yield from self._added(place, frame["item"])
            case "response.output_item.done":
                yield from self._done(place, frame["item"])
            case _:
                yield from self._state(frame)

    def finish(self) -> Iterator[ModelEvent]:
        """The end."""
        yield Finish(self._reason or "stop", read_usage(self._usage))

    def _state(self, frame: dict[str, Any]) -> Iterator[ModelEvent]:
        match frame.get("type"):
            case "response.completed" | "response.incomplete":
                self._end(frame["response"])
            case "response.failed":
                error = frame["response"].get("error") or "it gave no reason."
                raise error_in_stream(self._provider, error)
            case "error":
                raise error_in_stream(self._provider, frame.get("error") or {**frame, "type": "server_error"})
            case _ if frame.get("object") == "response":  # an answer in one piece
                for place, item in enumerate(frame["output"]):
                    yield from self._added(place, item | {"arguments": ""})
                    yield from _text(item)
                    yield from self._done(place, item)
                self._end(frame)
            case _ if frame.get("error"):
                raise error_in_stream(self._provider, frame["error"])
            case _:
                pass

    def _added(self, place: int, item: dict[str, Any]) -> Iterator[ModelEvent]:
        if item["type"] == "function_call":
            self._calls[place] = len(self._calls)
            yield ToolCallStart(self._calls[place], item["call_id"], item["name"])

    def _done(self, place: int, item: dict[str, Any]) -> Iterator[ModelEvent]:
        match item["type"]:
            case "reasoning" if item.get("encrypted_content"):
                hidden = place not in self._filled
                text = "\n\n".join(part["text"] for part in item.get("summary") or ()) if hidden else ""
                blob = item["encrypted_content"]
                yield ReasoningDelta(text, blob, redacted=hidden and not text, index=place, id=item.get("id"))
            case "function_call" if place not in self._filled and item["arguments"]:
                yield ToolCallDelta(self._calls[place], item["arguments"])
            case _:
                pass

    def _end(self, response: dict[str, Any]) -> None:
        self._usage = response.get("usage") or {}
        details: dict[str, Any] = response.get("incomplete_details") or {}
        if response.get("status") == "incomplete":
            self._reason = "content_filter" if details.get("reason") == "content_filter" else "length"
        else:
            self._reason = "tool_calls" if self._calls else "stop"


def _text(item: dict[str, Any]) -> Iterator[ModelEvent]:
    if item["type"] == "message":
        for part in item["content"]:
            yield TextDelta(part.get("text") or part.get("refusal") or "")


def read_usage(usage: dict[str, Any]) -> Usage:
    """The tokens of a call."""
    given: Any = usage.get("input_tokens_details") or {}
    told: Any = usage.get("output_tokens_details") or {}
    return Usage(
        usage.get("input_tokens") or 0,
        usage.get("output_tokens") or 0,
        given.get("cached_tokens"),
        None,
        told.get("reasoning_tokens"),
    )
