"""Undo and redo over a history that only grows do what an editor does that forgets."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.memory.versions.walk import Step, redo_target


class Editor:
    """What everybody knows: two stacks."""

    def __init__(self) -> None:
        self.done, self.undone = [1], list[int]()

    def edit(self, version: int) -> None:
        self.done.append(version)
        self.undone.clear()

    def undo(self) -> None:
        self.undone.append(self.done.pop())

    def redo(self) -> None:
        self.done.append(self.undone.pop())


def undo_target(steps: list[Step]) -> int | None:
    """What an undo shows, as `history.change.undo` finds it."""
    change = steps[-1].shown
    return steps[change - 2].shown if change > 1 else None


def tail(steps: list[Step]) -> list[Step]:
    last = max(at for at, step in enumerate(steps) if step.action == "update")
    return steps[last:]


@given(st.lists(st.sampled_from(["edit", "undo", "redo"]), max_size=40))
def test_it_walks_as_an_editor_does(actions: list[str]) -> None:
    editor, steps = Editor(), [Step(1, "update")]
    for action in actions:
        version = steps[-1].version + 1
        if action == "edit":
            editor.edit(version)
            steps.append(Step(version, "update"))
            continue
        target = undo_target(steps) if action == "undo" else redo_target(tail(steps))
        possible = len(editor.done) > 1 if action == "undo" else bool(editor.undone)
        assert (target is not None) == possible
        if possible:
            (editor.undo if action == "undo" else editor.redo)()
            steps.append(Step(version, action, target))
        assert steps[-1].shown == editor.done[-1]
