"""One call's supervisor: makes its namespaces, forks the job, holds it to its limits, tells how it ended.

A process of its own for each call, outside of what the job can see. It ends with the call; whoever closes the
other end of `life` ends both.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn

from . import collect, job, linux, scratch
from .plan import Call, Plan
from .tree import Tree

Reason = Literal["time", "cpu", "memory", "crash", "gone"]
FIRST_LOOK, LOOK_EVERY = 0.03, 0.05
ROUNDING = 0.3  # the kernel counts processor time in two ways
_FIRST_FREE = job.RESULT + 1


def supervise(plan: Plan, call: Call, life: socket.socket, descriptors: Sequence[int]) -> NoReturn:
    """Run a job to its end and tell of it; `descriptors` are its stdout, stderr, request and result."""
    begun = time.monotonic()
    told: dict[str, Any] = {}
    passed: list[int] = []
    try:
        folder = scratch.make(plan, call)
        try:
            told, files = _held(plan, call, folder, life, descriptors, begun)
            if files:
                passed = [files.descriptor]
                told["files"] = files.listing
                told["left_out"] = files.left_out
        finally:
            scratch.remove(plan, folder)
    except BaseException as error:  # noqa: BLE001 - the last word of this process
        told = {"failed": f"{type(error).__name__}: {error}"}
    told["seconds"] = time.monotonic() - begun
    try:
        socket.send_fds(life, [json.dumps(told).encode()], passed)
    except OSError:  # nobody listens any more
        os._exit(1)
    os._exit(0)


def _held(
    plan: Plan, call: Call, folder: str, life: socket.socket, descriptors: Sequence[int], begun: float
) -> tuple[dict[str, Any], collect.Files | None]:
    ready, started = os.pipe()
    tree = Tree(plan, call, folder)
    leader = os.fork()
    if leader == 0:
        _become(plan, call, folder, descriptors, started)
    for number in (started, *descriptors, *call.groups, *call.broker):
        os.close(number)
    tree.leader = leader
    if failed := _read(ready):
        tree.kill()
        return json.loads(failed), None
    reason = _watch(tree, life, begun + call.limits.wall_seconds, leader)
    status, usage = tree.end()
    if reason is None and tree.ran_out_of_memory():
        reason = "memory"
    code = os.waitstatus_to_exitcode(status)
    if reason is None and code == -signal.SIGKILL:
        spent = usage.ru_utime + usage.ru_stime
        reason = "cpu" if spent > call.limits.cpu_seconds - ROUNDING else None
    told: dict[str, Any] = {"killed": reason, "exit": code}
    files = collect.files(folder, call.keep, call.limits.file_bytes) if call.keep and reason is None else None
    return told, files


def _become(plan: Plan, call: Call, folder: str, descriptors: Sequence[int], started: int) -> NoReturn:
    """The child's side: descriptors in their places, no others, then the job itself."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        wanted = [nothing, *descriptors, started, *call.groups, *call.broker]
        apart = [fcntl.fcntl(number, fcntl.F_DUPFD, 64) for number in wanted]
        for place, number in enumerate(apart):
            os.dup2(number, place, inheritable=place <= job.ERR)
        started = _FIRST_FREE
        after = started + 1 + len(call.groups)
        groups, broker = tuple(range(started + 1, after)), tuple(range(after, len(wanted)))
        os.closerange(len(wanted), 1 << 16)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        job.run(plan, replace(call, groups=groups, broker=broker), folder, started)
    except BaseException as error:  # noqa: BLE001 - told to the supervisor
        try:
            os.write(started, json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        except OSError:  # it had started already
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
    os._exit(70)


def _read(ready: int) -> bytes:
    """What the child says until its job begins: nothing, or why it cannot."""
    said = b""
    while chunk := os.read(ready, 4096):
        said += chunk
    os.close(ready)
    return said


def _watch(tree: Tree, life: socket.socket, deadline: float, leader: int) -> Reason | None:
    """Wait for the leader's end; the reason if it has to be killed."""
    poll = select.poll()
    ended = os.pidfd_open(leader)
    poll.register(ended, select.POLLIN)
    poll.register(life, select.POLLIN | select.POLLHUP)
    look = time.monotonic() + FIRST_LOOK
    while True:
        now = time.monotonic()
        happened = {number for number, _ in poll.poll(max(0.0, min(deadline, look) - now) * 1000 + 1)}
        if life.fileno() in happened:
            return "gone"
        if ended in happened:
            return None
        now = time.monotonic()
        if now >= deadline:
            return "time"
        if now >= look:
            if reason := tree.excess():
                return reason
            look = now + LOOK_EVERY


def isolate() -> None:
    """Into namespaces of one's own, where a process that had no rights at all may mount."""
    user, group = os.getuid(), os.getgid()
    linux.unshare(
        linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET
    )
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)
