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

UNKNOWN_OUTCOME = (
    "This call was interrupted before its outcome was recorded; it may or may not have taken effect. "
    "Check before you call it again."
)


def conversation(rows: Sequence[MessageRow], *, timezone: str, return_limit: int) -> tuple[Message, ...]:
    """The messages of a request: the context without its system prompt, every call with its return."""
    messages = [_told(row, timezone, return_limit) for row in rows]
    if messages and messages[0].role == "system":
        messages = messages[1:]
    return tuple(paired(messages))


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
    open_calls: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "tool":
            kept = tuple(part for part in returns_of(message.parts) if open_calls.pop(part.call_id, None))
            if kept:
                told.append(Message("tool", kept))
            continue
        if open_calls and not (message.role == "assistant" and _continues(told, message)):
            told.append(_synthetic(open_calls.values()))
            open_calls = {}
        if message.role == "assistant":
            open_calls |= {call.id: call for call in calls_of(message.parts)}
            if told and told[-1].role == "assistant" and calls_of(told[-1].parts):
                told[-1] = Message("assistant", told[-1].parts + message.parts)
                continue
        told.append(message)
    if open_calls:
        told.append(_synthetic(open_calls.values()))
    return told


def _continues(told: list[Message], message: Message) -> bool:
    """Whether an assistant message goes on with the calls of the one before (held-back and pending ones)."""
    return bool(told) and told[-1].role == "assistant" and bool(calls_of(message.parts))


def _synthetic(calls: Iterable[ToolCall]) -> Message:
    return Message("tool", tuple(ToolReturn(call.id, call.name, UNKNOWN_OUTCOME, "error") for call in calls))


def unanswered(rows: Sequence[MessageRow]) -> tuple[ToolReturn, ...]:
    """Returns for the calls of a context that have none: they were interrupted, or never approved."""
    lost: dict[str, ToolReturn] = {}
    for row in rows:
        words = NOT_APPROVED if row.role == "approval" else UNKNOWN_OUTCOME
        lost |= {call.id: ToolReturn(call.id, call.name, words, "error") for call in calls_of(row.parts)}
        for returned in returns_of(row.parts):
            lost.pop(returned.call_id, None)
    return tuple(lost.values())
