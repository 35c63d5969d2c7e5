"""Builds a model request from what is stored: pure.

History as stored may be broken (a crash between a call and its return, an import, an old bug).
The model is never told a broken history: every call gets exactly one return, right after it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, count

from perdure.content.parts import Approval, Message, Role, ToolCall, ToolReturn, calls_of, returns_of, text_of
from perdure.loop.alerts import summary_parts
from perdure.loop.approvals import NOT_APPROVED, Settlement, known_return
from perdure.messages.store import MessageRow
from perdure.tools.envelope import envelope

CANCELLED = "This call was cancelled; it may or may not have taken effect."
UNKNOWN_OUTCOME = (
    "This call was interrupted before its outcome was recorded; it may or may not have taken effect. "
    "Check before you call it again."
)


def conversation(rows: Sequence[MessageRow], *, timezone: str, return_limit: int) -> tuple[Message, ...]:
    """The messages of a request: every call with its return, returns wrapped for the model."""
    return tuple(paired(as_told(rows, timezone=timezone, return_limit=return_limit)))


def as_told(rows: Sequence[MessageRow], *, timezone: str, return_limit: int) -> list[Message]:
    """Stored messages as the model should read them, as broken as they are stored."""
    told: list[Message] = []
    for before, row in zip([None, *rows], rows, strict=False):
        message = told_as(row, timezone, return_limit)
        if before and is_continued(before, row):
            told[-1] = Message("assistant", told[-1].parts + message.parts)
        else:
            told.append(message)
    return told


def is_continued(row: MessageRow, following: MessageRow) -> bool:
    """Whether two stored messages are one answer: what it says and its free calls, then those that wait."""
    return row.role == "assistant" and following.role == "approval" and row.step_id == following.step_id


def told_as(row: MessageRow, timezone: str, return_limit: int) -> Message:
    """A stored message as the model should read it."""
    if row.role == "summary":
        return Message("user", summary_parts(text_of(row.parts), row.created_at, timezone))
    role: Role = "assistant" if row.role == "approval" else row.role
    parts = tuple(
        _wrapped(part, row.created_at, timezone, return_limit) if isinstance(part, ToolReturn) else part
        for part in row.parts
        if not is_reply(row)
    )
    return Message(role, parts, row.name)


def is_reply(row: MessageRow) -> bool:
    """A person's answer to a request for approval: the model sees what came of it, in the returns."""
    return row.role == "approval" and not calls_of(row.parts)


def _wrapped(part: ToolReturn, at: datetime, timezone: str, limit: int) -> ToolReturn:
    return replace(part, text=envelope(clipped(part.text, limit), part.status, at, timezone))


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters, and a note of how many are missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… [{len(text) - limit} of {len(text)} characters left out]"


def paired(messages: Iterable[Message]) -> list[Message]:
    """The same history with every call answered once, right after it, and no return without a call.

    Returns that were stored later, as after an approval, come to the place where vendors want them. An id
    that some server gave to several calls is made to name one: vendors refuse a second.
    """
    history = list(messages)
    returns = StoredReturns(history)
    told: list[Message] = []
    used: set[str] = set()
    for place, message in enumerate(history):
        if message.role == "tool" or not message.parts:
            continue
        calls = calls_of(message.parts)
        if not calls:
            told.append(message)
            continue
        ids = [own_id(call.id, used) for call in calls]
        named = zip(calls, ids, strict=True)
        answers = tuple(replace(returns.next(call, place), call_id=id) for call, id in named)
        told += [with_ids(message, ids), Message("tool", answers)]
    return told


def own_id(id: str, used: set[str]) -> str:
    """The id of a call, or one made from it where another call has it already."""
    own = next(name for name in chain([id], (f"{id}-{n}" for n in count(2))) if name not in used)
    used.add(own)
    return own


def with_ids(message: Message, ids: Sequence[str]) -> Message:
    """A message whose calls have these ids."""
    if [call.id for call in calls_of(message.parts)] == ids:
        return message
    left = iter(ids)
    parts = tuple(replace(p, id=next(left)) if isinstance(p, ToolCall) else p for p in message.parts)
    return replace(message, parts=parts)


class StoredReturns:
    """The returns of a history, each to be told once, after the call it answers."""

    def __init__(self, history: Sequence[Message | MessageRow]):
        self._found: dict[str, list[tuple[int, ToolReturn]]] = {}
        for place, message in enumerate(history):
            for part in returns_of(message.parts) if message.role == "tool" else ():
                self._found.setdefault(part.call_id, []).append((place, part))

    def next(self, call: ToolCall, since: int) -> ToolReturn:
        """The next return stored after a call; else that its outcome is unknown."""
        _, returned = self.take(call.id, since)
        return returned or ToolReturn(call.id, call.name, UNKNOWN_OUTCOME, "error")

    def take(self, call_id: str, since: int) -> tuple[int, ToolReturn | None]:
        """The next return stored after a call, and its place in the history; else -1 and None."""
        stored = self._found.get(call_id, [])
        while stored:
            place, returned = stored.pop(0)
            if place > since:
                return place, returned
        return -1, None


def cancelled(calls: Iterable[ToolCall]) -> tuple[ToolReturn, ...]:
    """Returns for calls that were broken off when their turn was cancelled."""
    return tuple(ToolReturn(call.id, call.name, CANCELLED, "error") for call in calls)


def unanswered(rows: Sequence[MessageRow]) -> tuple[ToolReturn, ...]:
    """Returns for the calls of a context that have none: they were interrupted, or never approved.

    Where a person's reply was stored before the crash, it counts: denials, and what the client's own
    tools returned, are known; of approved calls nobody knows.
    """
    lost: dict[str, ToolReturn] = {}
    for row in rows:
        words = NOT_APPROVED if row.role == "approval" else UNKNOWN_OUTCOME
        lost |= {call.id: ToolReturn(call.id, call.name, words, "error") for call in calls_of(row.parts)}
        if row.role == "tool":
            for returned in returns_of(row.parts):
                lost.pop(returned.call_id, None)
        for part in row.parts if row.role == "approval" else ():
            if isinstance(part, Approval | ToolReturn) and part.call_id in lost:
                lost[part.call_id] = known_return(part, lost[part.call_id].name, UNKNOWN_OUTCOME)
    return tuple(lost.values())


def strays_in(rows: Sequence[MessageRow]) -> int:
    """How many returns answer no call that was made before them, or one that had returned already."""
    waiting: set[str] = set()
    strays = 0
    for row in rows:
        for part in row.parts:
            if isinstance(part, ToolCall):
                waiting.add(part.id)
            elif isinstance(part, ToolReturn) and row.role == "tool":
                strays += part.call_id not in waiting
                waiting.discard(part.call_id)
    return strays


def reopened(rows: Sequence[MessageRow], repeatable: Collection[str]) -> Settlement | None:
    """What to do with the calls that a crash left without a return; None where there are none.

    Only tools that are `repeatable` are called once more: the others may have taken effect.
    """
    lost = unanswered(rows)
    if not lost:
        return None
    latest = {call.id: call for row in rows for call in calls_of(row.parts)}
    calls = tuple(latest[returned.call_id] for returned in lost)
    again = {r.call_id for r in lost if r.text == UNKNOWN_OUTCOME and r.name in repeatable}
    known = tuple(returned for returned in lost if returned.call_id not in again)
    return Settlement(calls, tuple(call for call in calls if call.id in again), known, ())
