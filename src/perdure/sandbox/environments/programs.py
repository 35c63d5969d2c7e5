"""Programs that packages bring: how `npx PACKAGE` and `uvx PACKAGE` are read, and what they would execute."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any, cast

from perdure.sandbox.base import SandboxUnavailable
from perdure.sandbox.environments.lines import NPM, Kind

_RUN = """
import sys
sys.path.insert(0, {folder!r})
sys.argv[0] = {name!r}
import {module}
sys.exit({module}.{attribute}())
"""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A program of a package: the requirement, the program's name there if it was told, its arguments."""

    kind: Kind
    line: str
    program: str | None
    arguments: tuple[str, ...]


def packaged(command: str, arguments: Sequence[str]) -> Packaged | None:
    """What a command asks of a package's program, where it is one that fetches packages to run them."""
    rest = list(arguments)
    match command:
        case "npx":
            return _read("npm", rest, ("-y", "--yes", "-q", "--quiet"), ("-p", "--package"))
        case "uvx":
            return _read("pip", rest, ("-q", "--quiet"), ("--from",))
        case "uv" if rest[:2] == ["tool", "run"]:
            return _read("pip", rest[2:], ("-q", "--quiet"), ("--from",))
        case _:
            return None


def _read(kind: Kind, rest: list[str], flags: Sequence[str], sources: Sequence[str]) -> Packaged:
    """Flags, perhaps the package, then the program (or the package that is called like it), its arguments."""
    line = None
    while rest and rest[0].startswith("-"):
        word, _, value = rest.pop(0).partition("=")
        if word in sources and (value or rest):
            line = value or rest.pop(0)
        elif word == "--":
            break
        elif word not in flags:
            known = ", ".join((*flags, *sources))
            raise SandboxUnavailable(f"{word} is no option of a command in the sandbox: {known} are.")
    if not rest:
        raise SandboxUnavailable("The command names no package.")
    first = rest.pop(0)
    if line is None:
        return Packaged(kind, _requirement(kind, first), None, tuple(rest))
    return Packaged(kind, _requirement(kind, line), first, tuple(rest))


def _requirement(kind: Kind, word: str) -> str:
    """As our requirements are written: `name@1.2` of uvx is `name==1.2`, and `@latest` says nothing."""
    if kind == "npm":
        return word.removesuffix("@latest")
    name, at, version = word.partition("@")
    return f"{name}=={version}" if at and version != "latest" else name


def program_of(asked: Packaged, folder: Path, inside: str, python: Path, node: str) -> tuple[str, ...]:
    """What is to be executed, of an environment in this folder, which is seen `inside` elsewhere.

    Raises `SandboxUnavailable` where the package brings no such program.
    """
    if asked.kind == "npm":
        return (node, f"{inside}/{_of_npm(asked, folder)}", *asked.arguments)
    entry = _of_pip(asked, folder)
    code = _RUN.format(folder=inside, name=entry.name, module=entry.module, attribute=entry.attr)
    return (str(python), "-I", "-B", "-c", code, *asked.arguments)


def _of_pip(asked: Packaged, folder: Path) -> EntryPoint:
    """The named script; without a name, that which is called like the package, or its only one."""
    package = asked.line.partition("=")[0].partition("[")[0].strip()
    for distribution in distributions(path=[str(folder)]):
        if _same(distribution.metadata["Name"], package):
            scripts = {
                entry.name: entry for entry in distribution.entry_points if entry.group == "console_scripts"
            }
            return scripts[_chosen(asked, package, list(scripts))]
    raise SandboxUnavailable(f"{asked.line} brings no program.")


def _of_npm(asked: Packaged, folder: Path) -> str:
    match = NPM.fullmatch(asked.line)
    package = match["name"] if match else asked.line
    home = f"node_modules/{package}"
    told: Any = json.loads((folder / home / "package.json").read_text()).get("bin") or {}
    own = package.rpartition("/")[2]
    scripts = cast("dict[str, str]", told) if isinstance(told, dict) else {own: str(told)}
    return f"{home}/{scripts[_chosen(asked, own, list(scripts))]}"


def _chosen(asked: Packaged, package: str, names: Sequence[str]) -> str:
    for name in names:
        if _same(name, asked.program or package):
            return name
    if asked.program is None and len(names) == 1:
        return names[0]
    raise SandboxUnavailable(
        f"{asked.line} brings no program {asked.program or package}"
        f"{'; it brings ' + ', '.join(names) if names else ''}."
    )


def _same(first: str, second: str) -> bool:
    return first.lower().replace("_", "-") == second.lower().replace("_", "-")
