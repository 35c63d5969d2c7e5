"""Skills of the client's own, as the system prompt of one request tells of them: pure.

A skill is a file at the client's that says how something is done; the model is told where, and reads it
with the client's tools when it wants to.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from perdure.kit.text import storable


@dataclass(frozen=True, slots=True)
class Skill:
    """What a client offers; `location` is its path there."""

    name: str
    description: str
    location: str


@dataclass(slots=True)
class _Folder:
    folders: dict[str, "_Folder"] = field(default_factory=dict[str, "_Folder"])
    leaves: list[str] = field(default_factory=list[str])


def available_skills(skills: Sequence[Skill]) -> str:
    """The section of a system prompt that shows the skills, as trees by root folder; "" without any.

    The same skills make the same text in whatever order they come: prompts are cached.
    """
    if not skills:
        return ""
    top = _Folder()
    for skill in sorted(set(skills), key=lambda each: (each.location, each.name, each.description)):
        _place(top, skill)
    trees = [*top.leaves, *(_tree(name, top.folders[name]) for name in sorted(top.folders))]
    return "\n".join(["<available_skills>", *trees, "</available_skills>"])


def with_skills(system: str, skills: str) -> str:
    """A system prompt with the section of the skills at its end."""
    return f"{system}\n\n{skills}" if skills and system else system or skills


def _place(top: _Folder, skill: Skill) -> None:
    path = [part for part in _line(skill.location).split("/") if part not in ("", ".")]
    if skill.location.startswith("/") and path:
        path[0] = f"/{path[0]}"
    name, words = _line(skill.name), _first_line(skill.description)
    *folders, file = path = path or [name]
    folder = top
    for part in folders:
        folder = folder.folders.setdefault(part, _Folder())
    title = "" if name in path else f" {name}"
    folder.leaves.append(f"{file}{title}{f' [{words}]' if words else ''}")


def _tree(name: str, folder: _Folder) -> str:
    """A root folder and what is below it."""
    name, folder = _shortened(name, folder)
    if not folder.folders and len(folder.leaves) == 1:
        return f"{name}/{folder.leaves[0]}"
    return "\n".join([f"{name}/", *_branches(folder)])


def _shortened(name: str, folder: _Folder) -> tuple[str, _Folder]:
    """Folders that hold nothing but one folder, as one."""
    while len(folder.folders) == 1 and not folder.leaves:
        [(inner, below)] = folder.folders.items()
        name, folder = f"{name}/{inner}", below
    return name, folder


def _branches(folder: _Folder) -> Iterator[str]:
    below = [_tree(name, folder.folders[name]).split("\n") for name in sorted(folder.folders)]
    entries: list[list[str]] = sorted([*below, *([leaf] for leaf in folder.leaves)])
    for number, entry in enumerate(entries, 1):
        yield from _branch(entry, is_last=number == len(entries))


def _branch(lines: Iterable[str], *, is_last: bool) -> Iterator[str]:
    first, *rest = lines
    yield f"{'└── ' if is_last else '├── '}{first}"
    yield from (f"{'    ' if is_last else '│   '}{line}" for line in rest)


def _line(text: str) -> str:
    return " ".join(storable(text).split())


def _first_line(text: str) -> str:
    return next((line for line in map(_line, text.splitlines()) if line), "")
