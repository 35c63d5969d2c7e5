"""A child that is made ahead: alone with its channel, confined, it waits for the one call that it serves."""

import contextlib
import json
import os
import select
import socket
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from . import confine, job, linux, loopback, scratch
from .plan import Plan, Shape, failed

FIRST_FREE = job.RESULT + 1  # below are the places of a call's own descriptors, which are empty
FAILED = 70  # the status of one whose job could not begin
_LAST = 1 << 16
_MAX_SAID = 4096
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(slots=True)
class Child:
    """A child as its worker sees it; `ended` polls its end."""

    pid: int
    ended: int
    channel: socket.socket
    shape: Shape
    folder: str
    proc: str = "/proc"
    _places: tuple[int, ...] = ()

    def look(self) -> None:
        """Have `proc` and `folder` lead to its own: where it has mounted them, it has sent descriptors."""
        if self.folder == scratch.WORK:
            _, numbers, *_ = socket.recv_fds(self.channel, _MAX_SAID, 3)
            self._places = tuple(numbers)
            self.proc, self.folder = (f"/proc/self/fd/{number}/." for number in numbers[:2])

    def lives(self) -> bool:
        """Whether it can still be called."""
        return not select.select([self.ended], [], [], 0)[0]

    def failure(self) -> dict[str, Any]:
        """Why it could not begin; nothing if it did, for then it can say no more."""
        self.channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # that it left what it was sent unread
        while said := self.channel.recv(_MAX_SAID):
            if told := json.loads(said):
                return told
        return {}

    def close(self) -> None:
        """Let go of it: one that waits ends, and what it had mounted is gone."""
        self.channel.close()
        for number in (self.ended, *self._places):
            os.close(number)


def become(plan: Plan, shape: Shape, folder: str, channel: socket.socket, life: socket.socket) -> NoReturn:
    """The forked side: it is in a new namespace of processes, if there are any."""
    try:
        os.setsid()
        _be_the_first_to_go()
        broker = _network(plan, shape, life)
        _alone(channel.fileno(), *broker)
        if plan.namespaces:
            _mount(shape)
        os.chdir(folder)
        os.umask(0o022)
        _show(plan, channel)
        job.prepare(*broker)
        confine.limit(plan, shape)
        confine.confine(plan, folder, network=shape.network and not broker)
        _, numbers, *_ = socket.recv_fds(channel, 1, job.RESULT)
        if not numbers:
            os._exit(0)
        for place, number in enumerate(numbers, job.OUT):
            os.dup2(number, place, inheritable=place <= job.ERR)
            os.close(number)
        job.run(channel)
    except BaseException as error:  # noqa: BLE001 - told to the worker
        if channel.fileno() >= 0:
            channel.send(failed(error))
        else:  # it had begun
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
    os._exit(FAILED)


def _be_the_first_to_go() -> None:
    """When the memory of a call is used up, the kernel shall not end its worker."""
    with contextlib.suppress(OSError):  # not everywhere may it say so; then the call ends as a crash
        number = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(number, b"1000")
        os.close(number)


def _network(plan: Plan, shape: Shape, life: socket.socket) -> tuple[int, ...]:
    """If it is granted one: a network of its own, or a descriptor by which it reaches the proxy without."""
    if not shape.network:
        return ()
    if plan.namespaces:
        linux.unshare(linux.CLONE_NEWNET)
        loopback.hand_over(life, loopback.listen())
    elif plan.landlock and not plan.network:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        loopback.hand_over(life, theirs)
        return (ours.detach(),)
    return ()


def _alone(*kept: int) -> None:
    """No descriptors but these; nothing is in the places of the call's (`FIRST_FREE`)."""
    begin = FIRST_FREE
    for number in (*sorted(kept), _LAST):
        os.closerange(begin, number)
        begin = number + 1


def _mount(shape: Shape) -> None:
    """Its own view of files: a folder in memory, and a /proc of its processes alone."""
    linux.unshare(linux.CLONE_NEWNS)
    scratch.mount(shape.limits.file_bytes)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _show(plan: Plan, channel: socket.socket) -> None:
    """Say that it is made. The third place is kept open for its own sake: mounts take their time to go."""
    if not plan.namespaces:
        return
    places = [os.open("/proc", _FOLDER), os.open(".", _FOLDER), os.open("/proc/self/ns/mnt", os.O_RDONLY)]
    socket.send_fds(channel, [b"{}"], places)
    for number in places:
        os.close(number)
