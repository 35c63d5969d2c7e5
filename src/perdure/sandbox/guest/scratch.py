"""The folder of a call: in memory and gone with its namespaces, or beneath a folder of ours."""

import os
import shutil
import tempfile

from . import linux
from .plan import Call, Plan

WORK = "/work"
_BASE = "/call"
_INODES = 8192
_OF_A_FILE = 8192  # counted beside its content, so that there is an end to their number


def make(plan: Plan, call: Call) -> str:
    """The folder a job begins in, empty, and writable by it alone."""
    if not plan.namespaces:
        return tempfile.mkdtemp(prefix="call-", dir=plan.scratch)
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount(
        "tmpfs", _BASE, "tmpfs", flags, f"size={call.limits.file_bytes},nr_inodes={_INODES},mode=0700"
    )
    for name, target in (("work", WORK), ("tmp", "/tmp"), ("shm", "/dev/shm")):
        os.mkdir(f"{_BASE}/{name}", 0o700)
        linux.mount(f"{_BASE}/{name}", target, None, linux.MS_BIND)
    linux.check(linux.libc.umount2(_BASE.encode(), 2), "umount")
    return WORK


def remove(plan: Plan, folder: str) -> None:
    """Leave nothing of it."""
    if not plan.namespaces:
        shutil.rmtree(folder, ignore_errors=True)


def used(folder: str, *, in_memory: bool) -> int:
    """Bytes that its files take."""
    if in_memory:
        state = os.statvfs(folder)
        return (state.f_blocks - state.f_bfree) * state.f_frsize
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512 + _OF_A_FILE
            except OSError:  # gone in the meantime
                continue
    return total
