"""Calls that wait for a person: found in what is stored. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perdure.content.parts import ToolCall, calls_of
from perdure.messages.store import MessageRow


@dataclass(frozen=True, slots=True)
class Pending:
    """A request nobody has answered: the calls asked about, and the free ones that wait with them."""

    request: MessageRow
    asked: tuple[ToolCall, ...]
    free: tuple[ToolCall, ...]

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """All calls of the step, in the order of the model."""
        return (*self.free, *self.asked)

    def is_expired(self, since: datetime | None) -> bool:
        """Whether it was asked before this moment, from which on requests count; None means ever."""
        return since is not None and self.request.created_at < since


def pending_in(rows: Sequence[MessageRow]) -> Pending | None:
    """The request at the end of a history that still waits for its answer.

    A request that was answered waits no more, even if a crash came between the answer and its returns.
    """
    for i in range(len(rows) - 1, -1, -1):
        row = rows[i]
        asked = calls_of(row.parts)
        if row.role == "tool" or (row.role == "approval" and not asked):
            return None
        if row.role == "approval":
            before = rows[i - 1] if i and rows[i - 1].step_id == row.step_id else None
            free = calls_of(before.parts) if before and before.role == "assistant" else ()
            return Pending(row, asked, free)
        if row.role == "assistant":
            return None
    return None
