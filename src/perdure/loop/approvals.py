"""Calls that wait for a person: how they are stored, answered and taken up again. Pure.

The words of an answer and the calls that need nobody's consent are one message, the calls to be
approved the next; none of them has run. The reply decides about all of them at once.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from perdure.content.parts import Approval, Part, ToolCall, ToolReturn
from perdure.kit.errors import Conflict, InvalidArgument
from perdure.loop.answer import Answer
from perdure.messages.pending import Pending
from perdure.messages.store import Draft

NOT_APPROVED = "This call was not approved: the conversation went on without an answer to the request."
EXPIRED = "The request for approval expired before anybody answered it; the call was not run."
WITHDRAWN = "The request for approval was cancelled before anybody answered it; the call was not run."
NOTHING_PENDING = "Cannot process the approval: no tool call is currently awaiting approval."


class PendingApproval(Conflict):
    """A request for approval must be answered before anything else is said."""

    def __init__(self, pending: Pending):
        names = ", ".join(call.name for call in pending.asked)
        detail = {
            "code": "PENDING_APPROVAL",
            "message": f"Cannot send a new message: the agent is waiting for approval on a tool call "
            f"({names}). Approve or deny it first, or cancel the run.",
            "pending_request_id": pending.request.id,
        }
        super().__init__(detail["message"])
        self.envelope = {"detail": detail}

    def body(self) -> dict[str, object]:
        """The shape clients look for."""
        return dict(self.envelope)


class AlreadyAnswered(Conflict):
    """The same reply came twice; the run it started the first time tells what came of it."""

    def __init__(self, run_id: str):
        super().__init__("These calls were answered already.", run_id=run_id)
        self.run_id = run_id


@dataclass(frozen=True, slots=True)
class Reply:
    """A person's words on pending calls, or what the client's own tools returned.

    `approve_all` is the older form, one word for the only pending call.
    """

    words: tuple[Approval | ToolReturn, ...] = ()
    approve_all: Approval | None = None
    otid: str | None = None

    @property
    def call_ids(self) -> tuple[str, ...]:
        """The calls it speaks of."""
        return tuple(word.call_id for word in self.words)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reply amounts to: calls to run now, returns that are known already, all in call order."""

    calls: tuple[ToolCall, ...]
    run: tuple[ToolCall, ...]
    known: tuple[ToolReturn, ...]
    words: tuple[Part, ...]

    def ordered(self, results: Sequence[ToolReturn]) -> tuple[ToolReturn, ...]:
        """The returns of all calls once the approved ones have run."""
        by_call = {returned.call_id: returned for returned in (*self.known, *results)}
        return tuple(by_call[call.id] for call in self.calls)


def split_parts(
    answer: Answer, free: Sequence[ToolCall], pending: Sequence[ToolCall]
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts of the answer with its free calls, and of the request for approval."""
    words = tuple(part for part in answer.parts if not isinstance(part, ToolCall))
    return (*words, *free), tuple(pending)


def request_id(message_id: str) -> str:
    """The id of the approval request that belongs to an answer: its uuid minus one."""
    prefix, _, number = message_id.partition("-")
    return f"{prefix}-{uuid.UUID(int=uuid.UUID(number).int - 1)}"


def settle(pending: Pending | None, reply: Reply) -> Settlement:
    """What to do with pending calls; `InvalidArgument` where the reply does not fit them exactly."""
    if pending is None:
        raise InvalidArgument(NOTHING_PENDING)
    asked = {call.id: call for call in pending.asked}
    words = _words(reply, pending)
    _check_ids([word.call_id for word in words], list(asked))
    known = tuple(known_return(word, asked[word.call_id].name) for word in words if not _approves(word))
    approved = {word.call_id for word in words if _approves(word)}
    run = (*pending.free, *(call for call in pending.asked if call.id in approved))
    return Settlement(pending.calls, run, known, words)


def denial(pending: Pending, why: str) -> list[Draft]:
    """The messages by which calls that wait are denied without a person's word, the free ones with them."""
    asker = pending.request
    words = tuple(Approval(call.id, False, why) for call in pending.asked)
    returns = tuple(ToolReturn(call.id, call.name, why, "error") for call in pending.calls)
    return [
        Draft("approval", words, run_id=asker.run_id, step_id=asker.step_id),
        Draft("tool", returns, run_id=asker.run_id, step_id=asker.step_id, is_err=True),
    ]


def _words(reply: Reply, pending: Pending) -> tuple[Approval | ToolReturn, ...]:
    if reply.approve_all is None:
        return reply.words
    if len(pending.asked) != 1:
        raise InvalidArgument(
            f"Invalid tool call IDs: {len(pending.asked)} calls are waiting; "
            "send `approvals` with a word on each."
        )
    (call,) = pending.asked
    return (Approval(call.id, reply.approve_all.approve, reply.approve_all.reason),)


def _check_ids(given: Sequence[str], expected: Sequence[str]) -> None:
    if sorted(given) == sorted(expected):
        return
    missing = [id for id in expected if id not in given]
    unknown = [id for id in given if id not in expected]
    faults = [
        f"missing {', '.join(missing)}" if missing else "",
        f"unknown {', '.join(unknown)}" if unknown else "",
        "one is named twice" if not missing and not unknown else "",
    ]
    raise InvalidArgument(f"Invalid tool call IDs: {'; '.join(fault for fault in faults if fault)}.")


def _approves(word: Approval | ToolReturn) -> bool:
    return isinstance(word, Approval) and word.approve


def known_return(word: Approval | ToolReturn, name: str, unknown: str = "") -> ToolReturn:
    """The return of a call that does not run here: the client ran it, or a person said no.

    For one that was approved, and may have run, it is an error that says `unknown`.
    """
    if isinstance(word, ToolReturn):
        return ToolReturn(word.call_id, name, word.text, word.status, word.stdout, word.stderr)
    why = f" Reason: {word.reason}" if word.reason else ""
    denied = f"Error: request to call tool denied by the user.{why}"
    return ToolReturn(word.call_id, name, unknown if word.approve else denied, "error")
