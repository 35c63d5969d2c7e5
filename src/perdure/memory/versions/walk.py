"""Where undo and redo lead, as in an editor, told from a history that only grows. Pure.

An undo is a new version that says what an earlier one said (`of`), and so is a redo. The block then shows
that earlier version; a change from there forgets what could have been redone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BACK, FORTH = "undo", "redo"
WALKS = (BACK, FORTH)


@dataclass(frozen=True, slots=True)
class Step:
    """A version as far as walking is concerned."""

    version: int
    action: str
    of: int | None = None

    @property
    def shown(self) -> int:
        """The version whose content this one has, as an editor sees it."""
        return self.of if self.action in WALKS and self.of is not None else self.version


def redo_target(tail: Sequence[Step]) -> int | None:
    """What a redo would show. `tail` is the last change that was no walk, and all walks since, in order."""
    undone: list[int] = []
    for before, step in pairwise(tail):
        if step.action == BACK:
            undone.append(before.shown)
        else:
            undone.pop()
    return undone[-1] if undone else None
