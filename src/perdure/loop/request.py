"""Builds a model request from what is stored: pure.

History as stored may be broken (a crash between a call and its return, an import, an old bug).
The model is never told a broken history: every call gets exactly one return, right after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from perdure.content.parts import Message, Role, ToolCall, ToolReturn, calls_of, returns_of
from perdure.loop.approvals import NOT_APPROVED
from perdure.messages.store import MessageRow
from perdure.tools.envelope import envelope

CANCELLED = "This call was cancelled; it may or may not have taken effect."
UNKNOWN_OUTCOME = (
    "This call was interrupted before its outcome was recorded; it may or may not have taken effect. "
    "Check before you call it again."
)


def conversation(rows: Sequence[MessageRow], *, timezone: str, return_limit: int) -> tuple[Message, ...]:
    """The messages of a request: every call with its return, returns wrapped for the model."""
    return tuple(paired(_told(row, timezone, return_limit) for row in rows))


def _told(row: MessageRow, timezone: str, return_limit: int) -> Message:
    """A stored message as the model should read it."""
    role: Role = "assistant" if row.role == "approval" else "user" if row.role == "summary" else row.role
    parts = tuple(
        _wrapped(part, row.created_at, timezone, return_limit) if isinstance(part, ToolReturn) else part
        for part in row.parts
    )
    return Message(role, parts, row.name)


def _wrapped(part: ToolReturn, at: datetime, timezone: str, limit: int) -> ToolReturn:
    return replace(part, text=envelope(clipped(part.text, limit), part.status, at, timezone))


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters, and a note of how many are missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… [{len(text) - limit} of {len(text)} characters left out]"


def paired(messages: Iterable[Message]) -> list[Message]:
    """The same history with every call answered once, right after it, and no return without a call."""
    told: list[Message] = []
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        calls = calls_of(message.parts)
        if message.role == "tool":
            kept = tuple(part for part in returns_of(message.parts) if waiting.pop(part.call_id, None))
            _tell(told, Message("tool", kept))
        elif waiting and told[-1].role == "assistant" and calls:  # held-back calls go with those that wait
            fresh = tuple(
                part for part in message.parts if not (isinstance(part, ToolCall) and part.id in waiting)
            )
            _tell(told, Message("assistant", fresh))
            waiting |= {call.id: call for call in calls}
        else:
            _tell(told, Message("tool", _unknown(waiting.values())))
            waiting = {call.id: call for call in calls}
            told.append(message)
    _tell(told, Message("tool", _unknown(waiting.values())))
    return told


def _tell(told: list[Message], message: Message) -> None:
    """Add a message, as a part of the last one where both are of one role; nothing when it is empty."""
    if told and told[-1].role == message.role:
        told[-1] = Message(message.role, told[-1].parts + message.parts)
    elif message.parts:
        told.append(message)


def _unknown(calls: Iterable[ToolCall]) -> tuple[ToolReturn, ...]:
    return tuple(ToolReturn(call.id, call.name, UNKNOWN_OUTCOME, "error") for call in calls)


def cancelled(calls: Iterable[ToolCall]) -> tuple[ToolReturn, ...]:
    """Returns for calls that were broken off when their turn was cancelled."""
    return tuple(ToolReturn(call.id, call.name, CANCELLED, "error") for call in calls)


def unanswered(rows: Sequence[MessageRow]) -> tuple[ToolReturn, ...]:
    """Returns for the calls of a context that have none: they were interrupted, or never approved."""
    lost: dict[str, ToolReturn] = {}
    for row in rows:
        words = NOT_APPROVED if row.role == "approval" else UNKNOWN_OUTCOME
        lost |= {call.id: ToolReturn(call.id, call.name, words, "error") for call in calls_of(row.parts)}
        for returned in returns_of(row.parts):
            lost.pop(returned.call_id, None)
    return tuple(lost.values())
