"""Control groups, where we may make them: they bound a call's processes together, and precisely."""

import contextlib
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

V1 = Path("/sys/fs/cgroup")
# Names as the zygote knows them → files of version 1 and 2.
_MEMORY_V1 = {"procs_memory": "cgroup.procs", "memory_limit": "memory.limit_in_bytes"}
_PIDS_V1 = {"procs_pids": "cgroup.procs", "processes_limit": "pids.max"}
_V2 = {"procs": "cgroup.procs", "memory_limit": "memory.max", "processes_limit": "pids.max"}


@dataclass(slots=True)
class Groups:
    """The groups of all slots: what `descriptors` are called, and those of each slot side by side.

    Empty where no group can be made; then supervisors count, which is slower to notice.
    """

    names: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    folders: tuple[Path, ...] = field(default=())

    def enter(self, pid: int, memory_bytes: int, processes: int) -> None:
        """Put a process that must not hold the descriptors itself into the first slot's groups."""
        values = {"memory_limit": memory_bytes, "processes_limit": processes}
        for name, number in zip(self.names, self.descriptors, strict=False):
            if name.startswith("procs"):
                os.write(number, str(pid).encode())
            elif name in values:
                os.write(number, str(values[name]).encode())

    def close(self) -> None:
        """Remove the groups; what still runs in one keeps it."""
        for number in self.descriptors:
            os.close(number)
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        self.descriptors = self.folders = ()


def make(count: int) -> Groups:
    """Groups for so many slots, if this process may make them."""
    for layout in (_version_1, _version_2):
        try:
            parts = layout()
            if parts:
                return _make(parts, count)
        except OSError as error:
            log.debug("No control groups: %s.", error)
    return Groups()


def _make(parts: list[tuple[Path, Mapping[str, str], Mapping[str, str]]], count: int) -> Groups:
    """A group in each hierarchy for each slot, opened by us, so that a zygote needs no right of its own."""
    names: tuple[str, ...] = tuple(name for _, writable, readable in parts for name in (*writable, *readable))
    token = secrets.token_hex(4)
    descriptors: list[int] = []
    folders: list[Path] = []
    try:
        for parent, _, _ in parts:
            _sweep(parent)
        for slot in range(count):
            for parent, writable, readable in parts:
                folder = parent / f"perdure-{os.getpid()}-{token}-{slot}"
                folder.mkdir()
                folders.append(folder)
                descriptors += [
                    os.open(folder / file, os.O_WRONLY | os.O_CLOEXEC) for file in writable.values()
                ]
                descriptors += [
                    os.open(folder / file, os.O_RDONLY | os.O_CLOEXEC) for file in readable.values()
                ]
    except OSError:
        Groups(names, tuple(descriptors), tuple(folders)).close()
        raise
    return Groups(names, tuple(descriptors), tuple(folders))


def _sweep(parent: Path) -> None:
    """Remove what servers left that were killed."""
    for folder in parent.glob("perdure-*"):
        if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _version_1() -> list[tuple[Path, Mapping[str, str], Mapping[str, str]]]:
    own = dict(_own())
    if not {"memory", "pids"} <= own.keys():
        return []
    memory, pids = V1 / "memory" / own["memory"], V1 / "pids" / own["pids"]
    return [(memory, _MEMORY_V1, {"memory_events": "memory.oom_control"}), (pids, _PIDS_V1, {})]


def _version_2() -> list[tuple[Path, Mapping[str, str], Mapping[str, str]]]:
    own = dict(_own()).get("")
    if own is None or not (V1 / "cgroup.controllers").exists():
        return []
    parent = V1 / own
    control = parent / "cgroup.subtree_control"
    if not {"memory", "pids"} <= set(control.read_text().split()):
        control.write_text("+memory +pids")
    return [(parent, _V2, {"memory_events": "memory.events"})]


def _own() -> Iterator[tuple[str, str]]:
    """The controllers and this process's groups, as paths below the mount; version 2 is the empty name."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path.lstrip("/")
