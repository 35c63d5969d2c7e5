"""Repairing a stored history for good: pure.

`loop/request` tells the model a whole history whatever is stored. Here the context itself becomes one:
each call is followed by its return, and nothing else returns. What is stored stays stored; what was
wrong leaves the context, and what was missing comes where it belongs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from perdure.content.parts import Part, ToolCall, ToolReturn, returns_of
from perdure.loop.request import (
    UNKNOWN_OUTCOME,
    StoredReturns,
    is_continued,
    is_reply,
    own_id,
    unanswered,
)
from perdure.messages.pending import pending_in
from perdure.messages.store import Draft, MessageRow

Said = MessageRow | Draft


@dataclass(frozen=True, slots=True)
class Repair:
    """A context as it should be; calls and returns that were wrong in it are named by their call's id."""

    context: tuple[Said, ...]
    answered: tuple[str, ...]  # calls that had no return and were given one
    moved: tuple[str, ...]  # returns that came somewhere else than right behind their call
    removed: tuple[str, ...]  # returns that answered no call, or one that was answered already
    renamed: tuple[str, ...]  # calls whose id another call had


def repair(rows: Sequence[MessageRow]) -> Repair:
    """What is to become of a context. Calls that wait for approval are not broken: they stay as they are."""
    once = list({row.id: row for row in rows}.values())
    settled, waiting = _parted(once)
    mending = _Mending(settled)
    mending.run()
    return Repair(
        context=(*mending.context, *waiting),
        answered=tuple(mending.answered),
        moved=tuple(mending.moved),
        removed=tuple(mending.removed()),
        renamed=tuple(mending.renamed),
    )


def _parted(rows: list[MessageRow]) -> tuple[list[MessageRow], list[MessageRow]]:
    """A context, and the end of it that waits for a person's word."""
    waiting = pending_in(rows)
    if waiting is None:
        return rows, []
    begin = rows.index(waiting.request)
    if waiting.free:
        begin -= 1
    return rows[:begin], rows[begin:]


@dataclass(slots=True)
class _Mending:
    """Goes through a history, message by message; an answer stays open until something else is said."""

    rows: list[MessageRow]
    context: list[Said] = field(default_factory=list[Said])
    answered: list[str] = field(default_factory=list[str])
    moved: list[str] = field(default_factory=list[str])
    renamed: list[str] = field(default_factory=list[str])
    _ids: set[str] = field(default_factory=set[str])
    _taken: list[tuple[int, ToolReturn]] = field(default_factory=list[tuple[int, ToolReturn]])
    _open: list[tuple[int, ToolReturn]] = field(default_factory=list[tuple[int, ToolReturn]])
    _asker: int = 0  # the last message of the open answer

    def run(self) -> None:
        """Put the context together."""
        stored = StoredReturns(self.rows)
        lost = {returned.call_id: returned for returned in unanswered(self.rows)}
        for place, row in enumerate(self.rows):
            if row.role == "tool" or not row.parts:
                continue
            if not self._goes_on(place):
                self._close()
            self._say(place, row, stored, lost)
        self._close()

    def _goes_on(self, place: int) -> bool:
        """Whether a message belongs to the answer before it: a request for approval, or the reply to one."""
        if not place or self.rows[place - 1].role == "tool":
            return False
        before, row = self.rows[place - 1], self.rows[place]
        return is_reply(row) or (bool(before.parts) and is_continued(before, row))

    def _say(self, place: int, row: MessageRow, stored: StoredReturns, lost: dict[str, ToolReturn]) -> None:
        parts: list[Part] = []
        for part in row.parts:
            if not isinstance(part, ToolCall):
                parts.append(part)
                continue
            id = own_id(part.id, self._ids)
            if id != part.id:
                self.renamed.append(part.id)
            found, returned = stored.take(part.id, place)
            if returned is None:
                self.answered.append(id)
                returned = lost.get(part.id, ToolReturn(part.id, part.name, UNKNOWN_OUTCOME, "error"))
            else:
                self._taken.append((found, returned))
            self._open.append((found, replace(returned, call_id=id)))
            parts.append(replace(part, id=id))
        self._asker = place
        self.context.append(_with_parts(row, tuple(parts)))

    def _close(self) -> None:
        """Add what the calls of the open answer returned, in the stored message that holds just this."""
        if not self._open:
            return
        places, parts = {place for place, _ in self._open}, tuple(part for _, part in self._open)
        self.moved += [part.call_id for place, part in self._open if place not in (-1, self._asker + 1)]
        self._open = []
        if len(places) == 1 and -1 not in places:
            row = self.rows[places.pop()]
            if len(row.parts) == len(parts) and all(part in row.parts for part in parts):
                self.context.append(row)
                return
        asker, failed = self.rows[self._asker], all(part.status == "error" for part in parts)
        made = Draft("tool", parts, run_id=asker.run_id, step_id=asker.step_id, is_err=failed)
        self.context.append(made)

    def removed(self) -> list[str]:
        """The calls named by the returns that were not taken."""
        left = [
            (place, part)
            for place, row in enumerate(self.rows)
            for part in (returns_of(row.parts) if row.role == "tool" else ())
        ]
        for taken in self._taken:
            left.remove(taken)
        return [part.call_id for _, part in left]


def _with_parts(row: MessageRow, parts: tuple[Part, ...]) -> Said:
    """The stored message where it says just this, else a new one in its place."""
    if parts == row.parts:
        return row
    return Draft(
        row.role,
        parts,
        name=row.name,
        sender_id=row.sender_id,
        group_id=row.group_id,
        run_id=row.run_id,
        step_id=row.step_id,
        is_err=row.is_err,
    )
