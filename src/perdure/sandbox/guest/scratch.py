"""The folder of a call: in memory and gone with its namespaces, or beneath a folder of ours."""

import os
import shutil
import tempfile

from . import linux
from .plan import Plan

WORK = "/work"
_BASE = "/call"
_INODES = 8192
_OF_A_FILE = 8192  # counted beside its content, so that there is an end to their number


def folder(plan: Plan) -> str:
    """Where a child's job is to begin: empty, and writable by it alone."""
    return WORK if plan.namespaces else tempfile.mkdtemp(prefix="call-", dir=plan.scratch)


def mount(file_bytes: int) -> None:
    """Have it in memory, with its temporary files: in a mount namespace of this process alone."""
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("tmpfs", _BASE, "tmpfs", flags, f"size={file_bytes},nr_inodes={_INODES},mode=0700")
    for name, target in (("work", WORK), ("tmp", "/tmp"), ("shm", "/dev/shm")):
        os.mkdir(f"{_BASE}/{name}", 0o700)
        linux.mount(f"{_BASE}/{name}", target, None, linux.MS_BIND)
    linux.unmount(_BASE)


def remove(plan: Plan, folder: str) -> bool:
    """Leave nothing of it; whether nothing was in it, as far as this process knows."""
    if plan.namespaces:
        return True
    try:
        os.rmdir(folder)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


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
