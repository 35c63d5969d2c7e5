"""A worker: serves one call after the other, each in a child of its own that was made ahead of it.

It takes its place in namespaces and control groups once. Then it forks a child that confines itself and
waits; a call's descriptors go to that child, and the worker holds it to its limits and tells how it ended.
What a worker has in its memory its next child has, too: so it never reads what a call is about, and one that
has seen a name of a file, or an error, serves no other.
"""

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn

from . import collect, job, linux, scratch
from .child import FAILED, Child, become
from .plan import Limits, Plan, Shape, failed
from .tree import Tree

Reason = Literal["time", "cpu", "memory", "crash", "gone"]
FIRST_LOOK, LOOK_EVERY = 0.03, 0.05
ROUNDING = 0.3  # the kernel counts processor time in two ways
OWN_MEMORY = 16 << 20  # of its control group, beside what its child may take
MAX_MESSAGE, OF_A_CALL = 1 << 16, 4


class Worker:
    """The loop. `life` leads to the server, which ends all of it by closing; `group` are descriptors."""

    def __init__(self, plan: Plan, life: socket.socket, group: Mapping[str, int]):
        self._plan = plan
        self._life = life
        self._group = group
        self._bounds: Limits | None = None
        self._outside = -1

    def serve(self, expected: Shape | None) -> NoReturn:
        """All its calls; `expected` is what the first is likely to be."""
        try:
            self._settle()
            waiting, again = self._ahead(expected), True
            while again and (message := self._next()):
                begun, (told, numbers) = time.monotonic(), message
                shape = Shape.read(told)
                if waiting and not (waiting.shape == shape and waiting.lives()):
                    waiting = self._discard(waiting)
                again = self._call(waiting or self._fork(shape), told["keep"], numbers, begun)
                waiting = self._ahead(shape) if again else None
            if waiting:
                self._discard(waiting)
        except BaseException as error:  # noqa: BLE001 - the border of the process
            self._life.send(failed(error))
            os._exit(1)
        os._exit(0)

    def _settle(self) -> None:
        """Into the control groups and, where there are any, into namespaces, where it may mount."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for name, number in self._group.items():
            if name.startswith("procs"):
                os.write(number, b"0")  # moves whoever writes
                os.close(number)
        if self._plan.namespaces:
            linux.isolate()
            if os.fork():
                os._exit(0)  # the first process of the new namespace stays, and its end is that of all in it
            self._outside = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        else:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        if not self._plan.unconfined:
            linux.gain_nothing()
        self._hold_places()

    def _hold_places(self) -> None:
        """Something that is like the outputs of a call, for streams that are made before they are there."""
        reading, writing = os.pipe()
        for place in (job.OUT, job.ERR):
            os.dup2(writing, place)
        os.close(reading)
        os.close(writing)

    def _next(self) -> tuple[dict[str, Any], list[int]] | None:
        message, numbers, *_ = socket.recv_fds(self._life, MAX_MESSAGE, OF_A_CALL)
        return (json.loads(message), numbers) if message else None

    def _ahead(self, shape: Shape | None) -> Child | None:
        """A child for the next call. One with a network has to hand its listener to that very call."""
        return self._fork(shape) if shape and not shape.network else None

    def _fork(self, shape: Shape) -> Child:
        """A child that confines itself for calls of this shape."""
        self._bound(shape.limits)
        folder = scratch.folder(self._plan)
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if self._plan.namespaces:
            linux.unshare(linux.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            become(self._plan, shape, folder, theirs, self._life)
        if self._plan.namespaces:
            linux.setns(self._outside, linux.CLONE_NEWPID)
        theirs.close()
        return Child(pid, os.pidfd_open(pid), channel, shape, folder)

    def _bound(self, limits: Limits) -> None:
        """Have the control groups hold all of the next call's processes together."""
        most = {
            "memory_limit": limits.memory_bytes + OWN_MEMORY,
            "processes_limit": limits.processes + 1 + self._plan.namespaces,  # itself, and who began it
        }
        if limits != self._bounds:
            self._bounds = limits
            for name in most.keys() & self._group.keys():
                os.write(self._group[name], str(most[name]).encode())

    def _discard(self, child: Child) -> None:
        """One that nobody will call: it ends when its channel does."""
        child.close()
        os.waitpid(child.pid, 0)
        scratch.remove(self._plan, child.folder)

    def _call(self, child: Child, keep: Sequence[str], numbers: Sequence[int], begun: float) -> bool:
        """One call, with its stdout, stderr, request and result; whether nothing of it is left here."""
        limits = child.shape.limits
        tree = Tree(self._plan, child, self._group.get("memory_events"))
        self._hand_over(child, numbers)
        reason = self._watch(tree, child.ended, begun + limits.wall_seconds)
        status, usage = tree.end()
        code = os.waitstatus_to_exitcode(status)
        if reason is None and tree.ran_out_of_memory():
            reason = "memory"
        spent = usage.ru_utime + usage.ru_stime
        if reason is None and code == -signal.SIGKILL and spent > limits.cpu_seconds - ROUNDING:
            reason = "cpu"
        told: dict[str, Any] = {"killed": reason, "exit": code}
        if code == FAILED:
            told |= child.failure()
        passed: list[int] = []
        if keep and reason is None:
            child.look()
            kept = collect.files(child.folder, keep, limits.file_bytes)
            told |= {"files": kept.listing, "left_out": kept.left_out}
            passed = [kept.descriptor]
        was_empty = scratch.remove(self._plan, child.folder)
        again = code == 0 and was_empty and not keep and not tree.saw_names
        self._tell(told | {"seconds": time.monotonic() - begun, "again": again}, passed)
        child.close()
        return again

    def _hand_over(self, child: Child, numbers: Sequence[int]) -> None:
        with contextlib.suppress(OSError):  # it could not be made, and has said why
            socket.send_fds(child.channel, [b"!"], numbers)
        for number in numbers:
            os.close(number)

    def _watch(self, tree: Tree, ended: int, deadline: float) -> Reason | None:
        """Wait for the child's end; the reason if it has to be killed."""
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(self._life, select.POLLIN | select.POLLHUP)
        look = time.monotonic() + FIRST_LOOK
        while True:
            now = time.monotonic()
            happened = {number for number, _ in poll.poll(max(0.0, min(deadline, look) - now) * 1000 + 1)}
            if self._life.fileno() in happened:
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

    def _tell(self, told: Mapping[str, Any], passed: Sequence[int] = ()) -> None:
        try:
            socket.send_fds(self._life, [json.dumps(told).encode()], passed)
        except OSError:  # nobody listens any more
            os._exit(1)
