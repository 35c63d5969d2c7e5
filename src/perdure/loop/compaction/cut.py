"""Where a history may be cut, and where it should be: pure.

A call is never parted from its return, nor an answer's words from the request for approval that belongs
to it. Calls that wait for a person stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from perdure.content.parts import calls_of
from perdure.loop.request import StoredReturns, is_continued
from perdure.messages.pending import pending_in
from perdure.messages.store import MessageRow

FIRST_SHARE = 0.4  # of the messages leave at least
FORCES = (1.0, 0.5, 0.25, 0.0)  # what of the goal is left when a provider still says that it is too much
SUMMARY_SHARE = 1 / 3  # of the goal, for the summary
LEAST_SUMMARY = 60  # tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """What leaves and what stays, and how many tokens the summary may take."""

    evicted: tuple[MessageRow, ...]
    kept: tuple[MessageRow, ...]
    summary_tokens: int
    kept_tokens: int


def cuts(rows: Sequence[MessageRow]) -> list[int]:
    """The places where a history may be cut: what stands before an index leaves, the rest stays."""
    parted = [False] * (len(rows) + 1)
    for first, last in (*_answered(rows), *_joined(rows)):
        for index in range(first + 1, last + 1):
            parted[index] = True
    return [index for index in range(1, _waiting_from(rows) + 1) if not parted[index]]


def _answered(rows: Sequence[MessageRow]) -> list[tuple[int, int]]:
    """The places of calls and of their returns."""
    returns = StoredReturns(rows)
    pairs: list[tuple[int, int]] = []
    for place, row in enumerate(rows):
        for call in calls_of(row.parts):
            found, returned = returns.take(call.id, place)
            if returned:
                pairs.append((place, found))
    return pairs


def _joined(rows: Sequence[MessageRow]) -> list[tuple[int, int]]:
    """The places of answers that are stored as two messages, words and request for approval."""
    return [(i, i + 1) for i, (row, following) in enumerate(pairwise(rows)) if is_continued(row, following)]


def _waiting_from(rows: Sequence[MessageRow]) -> int:
    """Where the calls begin that wait for a person; the end where there are none."""
    waiting = pending_in(rows)
    if waiting is None:
        return len(rows)
    place = next(i for i, row in enumerate(rows) if row.id == waiting.request.id)
    return place - 1 if (place - 1, place) in _joined(rows) else place


def kept_from(rows: Sequence[MessageRow], *, hard: bool = False) -> int:
    """Where that part of a turn's history begins which must stay in view.

    That is what nobody has answered yet; between two steps it is the last answer with its returns,
    which go, too, if it is `hard` to make room.
    """
    last = len(rows)
    while last and rows[last - 1].role in ("user", "system"):
        last -= 1
    if last < len(rows) or hard:
        return last
    return max((index for index in cuts(rows) if index < len(rows)), default=0)


def plan_cut(
    rows: Sequence[MessageRow],
    tokens: Sequence[int],
    goal: int,
    *,
    keep: int,
    whole: bool = False,
    most_summary: int | None = None,
) -> Plan | None:
    """How to bring a history (without its system message) below `goal` tokens; None if nothing can leave.

    `tokens` are those of each message, `keep` is where that begins which must stay. A part of the goal is
    left to the summary. Where no cut before an answer will do, or with `whole`, all else leaves.
    """
    reserve = min(round(goal * SUMMARY_SHARE), most_summary if most_summary is not None else goal)
    index = _place(rows, tokens, goal - reserve, keep, whole)
    if index is None:
        return None
    left = sum(tokens[index:])
    room = max(goal - left, reserve, LEAST_SUMMARY)
    allowed = room if most_summary is None else min(room, most_summary)
    return Plan(tuple(rows[:index]), tuple(rows[index:]), allowed, left)


def _place(
    rows: Sequence[MessageRow], tokens: Sequence[int], room: int, keep: int, whole: bool
) -> int | None:
    summaries = next((i for i, row in enumerate(rows) if row.role != "summary"), len(rows))
    valid = [index for index in cuts(rows) if summaries < index <= keep]
    if not valid or whole:
        return valid[-1] if valid else None
    left = sum(tokens)
    passed = 0
    for index in valid:
        left -= sum(tokens[passed:index])
        passed = index
        enough = index >= len(rows) * FIRST_SHARE and left <= room
        if enough and index < len(rows) and _answers(rows[index]):
            return index
    return valid[-1]


def _answers(row: MessageRow) -> bool:
    """Whether a message is the agent's: after the summary, which counts as a user's, comes an answer."""
    return row.role == "assistant" or (row.role == "approval" and bool(calls_of(row.parts)))
