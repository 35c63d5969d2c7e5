"""Control groups, where we may make them: they bound a call's processes together, and precisely."""

import contextlib
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

V1 = Path("/sys/fs/cgroup")
# Names as workers know them → files of version 1 and 2.
_MEMORY_V1 = {
    "procs_memory": "cgroup.procs",
    "memory_limit": "memory.limit_in_bytes",
    "memory_events": "memory.oom_control",
}
_PIDS_V1 = {"procs_pids": "cgroup.procs", "processes_limit": "pids.max"}
_V2 = {
    "procs": "cgroup.procs",
    "memory_limit": "memory.max",
    "processes_limit": "pids.max",
    "memory_events": "memory.events",
}
_READ = "memory_events"
# Folders that groups are made in, with the files that are opened of each.
Places = list[tuple[Path, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Group:
    """One group in each hierarchy; `files` are open, so that who gets them needs no right of its own."""

    files: Mapping[str, int]
    folders: tuple[Path, ...]

    def enter(self, pid: int, memory_bytes: int, processes: int) -> None:
        """Put a process into it that must not hold the files itself."""
        os.write(self.files["memory_limit"], str(memory_bytes).encode())
        os.write(self.files["processes_limit"], str(processes).encode())
        for name, number in self.files.items():
            if name.startswith("procs"):
                os.write(number, str(pid).encode())

    def close(self) -> None:
        """Remove it; what still runs in it keeps it."""
        for number in self.files.values():
            os.close(number)
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


class Groups:
    """Groups made as they are needed, and used again. There are none where this process may not make any."""

    def __init__(self) -> None:
        self.places = _places()
        self._token = secrets.token_hex(4)
        self._all: list[Group] = []
        self._free: list[Group] = []
        for folder, _ in self.places:
            _sweep(folder)

    def take(self) -> Group | None:
        """One that nothing is in; None where there are none."""
        if not self._free and self.places:
            try:
                self._free.append(self._make())
            except OSError as error:
                log.debug("No control groups: %s.", error)
                self.places = []
        return self._free.pop() if self._free else None

    def give(self, group: Group) -> None:
        """Nothing is in it any more, or will not be in a moment."""
        self._free.append(group)

    def close(self) -> None:
        """Remove all."""
        for group in self._all:
            group.close()
        self.places, self._all, self._free = [], [], []

    def _make(self) -> Group:
        files: dict[str, int] = {}
        folders: list[Path] = []
        try:
            for place, names in self.places:
                folder = place / f"perdure-{os.getpid()}-{self._token}-{len(self._all)}"
                folder.mkdir()
                folders.append(folder)
                for name, file in names.items():
                    mode = os.O_RDONLY if name == _READ else os.O_WRONLY
                    files[name] = os.open(folder / file, mode | os.O_CLOEXEC)
        except OSError:
            Group(files, tuple(folders)).close()
            raise
        group = Group(files, tuple(folders))
        self._all.append(group)
        return group


def _sweep(parent: Path) -> None:
    """Remove what servers left that were killed."""
    for folder in parent.glob("perdure-*"):
        if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _places() -> Places:
    for layout in (_version_1, _version_2):
        try:
            if places := layout():
                return places
        except OSError as error:
            log.debug("No control groups: %s.", error)
    return []


def _version_1() -> Places:
    own = dict(_own())
    if not {"memory", "pids"} <= own.keys():
        return []
    return [(V1 / "memory" / own["memory"], _MEMORY_V1), (V1 / "pids" / own["pids"], _PIDS_V1)]


def _version_2() -> Places:
    own = dict(_own()).get("")
    if own is None or not (V1 / "cgroup.controllers").exists():
        return []
    parent = V1 / own
    control = parent / "cgroup.subtree_control"
    if not {"memory", "pids"} <= set(control.read_text().split()):
        control.write_text("+memory +pids")
    return [(parent, _V2)]


def _own() -> Iterator[tuple[str, str]]:
    """The controllers and this process's groups, as paths below the mount; version 2 is the empty name."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path.lstrip("/")
