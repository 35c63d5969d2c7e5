"""All processes of a call: what they use together, and their end."""

import os
import resource
import signal
import time
from typing import Literal

from . import scratch
from .child import Child
from .plan import Plan

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
_STAT = bytearray(2048)


class Tree:
    """A child and whatever came of it; `memory_events` is a descriptor of its control group.

    `saw_names`: names of files were read, which are in the memory of this process from then on.
    """

    def __init__(self, plan: Plan, child: Child, memory_events: int | None):
        self._plan = plan
        self._child = child
        self._memory_events = memory_events
        self._ooms = self._oom_kills()
        self.saw_names = False

    def excess(self) -> Literal["cpu", "memory", "crash"] | None:
        """Which limit its processes exceed together."""
        limits, pids = self._child.shape.limits, self._members()
        proc, folder = self._child.proc, self._child.folder
        if self.ran_out_of_memory():
            return "memory"
        if sum(_cpu(proc, pid) for pid in pids) > limits.cpu_seconds:
            return "cpu"
        if len(pids) > limits.processes:
            return "crash"
        files = scratch.used(folder, in_memory=self._plan.namespaces)
        if not self._plan.namespaces:
            files += sum(_unlinked(pid, folder) for pid in pids)
            self.saw_names |= files > 0
            if files > 2 * limits.file_bytes:
                return "memory"
            files = 0
        if files + sum(_resident(proc, pid) for pid in pids) <= limits.memory_bytes:
            return None
        return "memory" if files + sum(_own(proc, pid) for pid in pids) > limits.memory_bytes else None

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed one of it for what all of them use."""
        return self._oom_kills() > self._ooms

    def end(self) -> tuple[int, resource.struct_rusage]:
        """How the child ended, after all others did; kills what is left.

        With namespaces, the child's end is that of all.
        """
        os.kill(self._child.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self._child.pid, 0)
        while not self._plan.namespaces and _has_children():
            for pid in self._members():
                _kill(pid)
            time.sleep(0.001)
        return status, usage

    def _members(self) -> list[int]:
        """The ids of its processes: with namespaces what its /proc shows, else those below this process."""
        self._child.look()
        proc = self._child.proc
        pids = [int(name) for name in os.listdir(proc) if name.isdigit()]
        if self._plan.namespaces:
            return pids
        parents = {pid: int(fields[1]) for pid in pids if (fields := _stat(proc, pid))}
        found, fresh = set[int](), {os.getpid()}
        while fresh:
            fresh = {pid for pid, parent in parents.items() if parent in fresh and pid not in found}
            found |= fresh
        return list(found)

    def _oom_kills(self) -> int:
        if self._memory_events is None:
            return 0
        for line in os.pread(self._memory_events, 4096, 0).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0


def _has_children() -> bool:
    """Whether there are any, after taking leave of those that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _stat(proc: str, pid: int) -> list[bytearray]:
    """What stands behind the name in /proc/PID/stat; nothing for one that is gone. The name is not kept."""
    try:
        number = os.open(f"{proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        size = os.readv(number, [_STAT])
        return _STAT[_STAT.rfind(b")") + 1 : size].split()
    except OSError:
        return []
    finally:
        _STAT[:] = bytes(len(_STAT))
        os.close(number)


def _cpu(proc: str, pid: int) -> float:
    """Seconds of processor time, its ended children's included."""
    fields = _stat(proc, pid)
    return sum(map(int, fields[11:15])) / TICKS if fields else 0.0


def _resident(proc: str, pid: int) -> int:
    """Bytes that may be its own: quickly read, and too much after a fork."""
    try:
        with open(f"{proc}/{pid}/statm", encoding="ascii") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * PAGE


def _own(proc: str, pid: int) -> int:
    """Bytes that are its own, its share of what it shares with others included."""
    try:
        with open(f"{proc}/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss_Anon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return _resident(proc, pid)
    return 0


def _unlinked(pid: int, folder: str) -> int:
    """Bytes in files of the folder that are open and have no name any more."""
    total = 0
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            state = os.stat(path)
            if state.st_nlink == 0 and os.readlink(path).startswith(folder):
                total += state.st_blocks * 512
    except OSError:  # gone in the meantime
        return total
    return total
