"""Where a conversation stands: what the person said last and what was done about it since. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from perdure.content.parts import Message, ToolCall, ToolReturn, calls_of, returns_of, text_of
from perdure.providers.base import ModelRequest


@dataclass(frozen=True, slots=True)
class Turn:
    """The last user message and what came after it. `event`: it is the server's, not a person's."""

    text: str
    event: bool
    calls: tuple[ToolCall, ...]
    returns: tuple[ToolReturn, ...]
    first: bool
    spoken: tuple[str, ...]

    def result_of(self, call: ToolCall) -> ToolReturn | None:
        """What a call of this turn returned."""
        return next((done for done in self.returns if done.call_id == call.id), None)


def turn_of(request: ModelRequest) -> Turn:
    """Split a request's messages at the last user message."""
    messages = request.messages
    at = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    text, event = unwrap(text_of(messages[at].parts)) if at >= 0 else ("", False)
    since: Sequence[Message] = messages[at + 1 :]
    return Turn(
        text=text,
        event=event,
        calls=tuple(call for message in since for call in calls_of(message.parts)),
        returns=tuple(opened(done) for message in since for done in returns_of(message.parts)),
        first=not any(message.role == "assistant" for message in messages[: max(at, 0)]),
        spoken=tuple(
            unwrap(text_of(message.parts))[0] for message in messages if message.role in ("user", "summary")
        ),
    )


def opened(done: ToolReturn) -> ToolReturn:
    """A tool's own words, out of the envelope (`status`, `message`, `time`) that models are shown."""
    fields = _object(done.text)
    message = fields.get("message")
    return replace(done, text=message) if "status" in fields and isinstance(message, str) else done


def unwrap(text: str) -> tuple[str, bool]:
    """A message out of the JSON some clients and the server wrap it in; whether it is an event."""
    fields = _object(text)
    if "type" not in fields:
        return text, False
    said = fields.get("message")
    return (said if isinstance(said, str) else text), fields["type"] != "user_message"


def arguments_of(call: ToolCall) -> Mapping[str, Any]:
    """A call's arguments, or nothing if they are no JSON object."""
    return _object(call.arguments)


def _object(text: str) -> Mapping[str, Any]:
    """A JSON object, or an empty one if the text is none."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        parsed: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", parsed)
