"""Calls that wait for a person: how they are stored, and what becomes of them. Pure.

The words and the calls that need nobody's consent are one message, the calls to be approved the
next; none of them has run.
"""

import uuid
from collections.abc import Sequence

from perdure.content.parts import Part, ToolCall
from perdure.loop.answer import Answer

NOT_APPROVED = "This call was not approved: the conversation went on without an answer to the request."


def split_parts(
    answer: Answer, free: Sequence[ToolCall], pending: Sequence[ToolCall]
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts of the first message and of the approval request; words sit on whichever comes first."""
    words = tuple(part for part in answer.parts if not isinstance(part, ToolCall))
    return ((*words, *free), tuple(pending)) if free else ((), (*words, *pending))


def request_id(message_id: str) -> str:
    """The id of the approval request that belongs to an answer: its uuid minus one."""
    prefix, _, number = message_id.partition("-")
    return f"{prefix}-{uuid.UUID(int=uuid.UUID(number).int - 1)}"
