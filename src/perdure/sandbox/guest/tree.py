"""All processes of a call: what they use together, and their end."""

import os
import resource
import signal
import time
from typing import Literal

from . import linux, scratch
from .plan import Call, Plan

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


class Tree:
    """The leader and whatever came of it."""

    def __init__(self, plan: Plan, call: Call, folder: str):
        self._plan = plan
        self._call = call
        self._folder = folder
        self._ooms = self._oom_kills()
        self.leader = 0
        if not plan.namespaces:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)

    def members(self) -> list[int]:
        """The ids of its processes. With namespaces /proc shows no others; else those below this process."""
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        if self._plan.namespaces:
            return pids
        parents = {pid: int(fields[1]) for pid in pids if (fields := _stat(pid))}
        found, fresh = set[int](), {os.getpid()}
        while fresh:
            fresh = {pid for pid, parent in parents.items() if parent in fresh and pid not in found}
            found |= fresh
        return list(found)

    def excess(self) -> Literal["cpu", "memory", "crash"] | None:
        """Which limit its processes exceed together."""
        limits, pids = self._call.limits, self.members()
        if self.ran_out_of_memory():
            return "memory"
        if sum(_cpu(pid) for pid in pids) > limits.cpu_seconds:
            return "cpu"
        if len(pids) > limits.processes:
            return "crash"
        files = scratch.used(self._folder, in_memory=self._plan.namespaces)
        if not self._plan.namespaces:
            files += sum(_unlinked(pid, self._folder) for pid in pids)
            if files > 2 * limits.file_bytes:
                return "memory"
            files = 0
        if files + sum(map(_resident, pids)) <= limits.memory_bytes:
            return None
        return "memory" if files + sum(map(_own, pids)) > limits.memory_bytes else None

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed one of it for what all of them use."""
        return self._oom_kills() > self._ooms

    def kill(self) -> None:
        """End all of it; with namespaces, the leader's end is that of all."""
        try:
            os.kill(self.leader, signal.SIGKILL)
        except ProcessLookupError:
            return
        if not self._plan.namespaces:
            while pids := self.members():
                for pid in pids:
                    _kill(pid)
                if not _reap(self.leader):
                    time.sleep(0.001)

    def end(self) -> tuple[int, resource.struct_rusage]:
        """How the leader ended, after all others did; kills what is left."""
        if self._plan.namespaces:
            os.kill(self.leader, signal.SIGKILL)
            _, status, usage = os.wait4(self.leader, 0)
            return status, usage
        os.kill(self.leader, signal.SIGKILL)
        _, status, usage = os.wait4(self.leader, 0)
        while pids := self.members():
            for pid in pids:
                _kill(pid)
            if not _reap(-1):
                time.sleep(0.001)
        return status, usage

    def _oom_kills(self) -> int:
        if self._call.memory_events is None:
            return 0
        for line in os.pread(self._call.memory_events, 4096, 0).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap(pid: int) -> bool:
    """Take leave of one that ended, if there is one."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _stat(pid: int) -> list[str]:
    """What stands behind the name in /proc/PID/stat; nothing for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu(pid: int) -> float:
    """Seconds of processor time, its ended children's included."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / TICKS if fields else 0.0


def _resident(pid: int) -> int:
    """Bytes that may be its own: quickly read, and too much after a fork."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * PAGE


def _own(pid: int) -> int:
    """Bytes that are its own, its share of what it shares with others included."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss_Anon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return _resident(pid)
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
