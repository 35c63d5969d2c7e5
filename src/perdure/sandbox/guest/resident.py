"""A program that stays, such as a server of tools: the first process around it, which holds its limits.

It is told over a SEQPACKET socket what to execute; whoever closes the other end ends it, and with it every
process there. Its standard streams are the program's.
"""

import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from . import linux, loopback, scratch, seccomp

MAX_PLAN = 1 << 17
LOOK_SECONDS = 0.25
LOOKS_AT_FILES = 8  # in so many looks one
PAGE = os.sysconf("SC_PAGE_SIZE")


def main(descriptor: int) -> NoReturn:
    """The whole life of it."""
    control = socket.socket(fileno=descriptor)
    plan = json.loads(control.recv(MAX_PLAN) or b"{}")
    if not plan:
        os._exit(1)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # nobody else's to look into
    if plan["network"]:
        listener = loopback.listen()
        socket.send_fds(control, [b"listening"], [listener.fileno()])
        listener.close()
    leader = os.fork()
    if leader == 0:
        _become(plan)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # the program alone has them, so that its end is theirs
        os.dup2(nothing, number)
    os._exit(_watch(plan, leader, control))


def _become(plan: Mapping[str, Any]) -> NoReturn:
    """The program itself, without any right that it could lose."""
    try:
        os.setsid()
        os.closerange(3, 1 << 16)
        os.umask(0o077)
        _limit(plan)
        linux.gain_nothing()
        linux.drop_capabilities()
        families = (seccomp.AF_UNIX, seccomp.AF_INET, seccomp.AF_INET6)  # of a network with nothing in it
        seccomp.install(seccomp.program(seccomp.rules(sockets=families), os.uname().machine))
        os.chdir(plan["folder"])
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])
    except OSError as error:
        _say(f"{plan['argv'][0]}: {error.strerror}")
    os._exit(127)


def _limit(plan: Mapping[str, Any]) -> None:
    for kind, most in (
        (resource.RLIMIT_FSIZE, plan["file_bytes"]),
        (resource.RLIMIT_NPROC, plan["processes"] + 1),
        (resource.RLIMIT_NOFILE, 4096),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def _watch(plan: Mapping[str, Any], leader: int, control: socket.socket) -> int:
    """Wait for the program's end, or for a reason to end it; the status to end with."""
    poll = select.poll()
    ended = os.pidfd_open(leader)
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLIN)
    looks = 0
    while True:
        happened = {number for number, _ in poll.poll(LOOK_SECONDS * 1000)}
        if control.fileno() in happened:
            return 1
        if ended in happened:
            _, status = os.waitpid(leader, 0)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        _reap(leader)
        looks += 1
        if reason := excess(plan, files=looks % LOOKS_AT_FILES == 0):
            _say(f"stopped: {reason}")
            return 1


def excess(plan: Mapping[str, Any], *, files: bool) -> str | None:
    """What limit its processes exceed together; files are looked at where that is asked."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]
    if len(pids) > plan["processes"]:
        return f"more than {plan['processes']} processes"
    most = plan["memory_bytes"] - scratch.used(plan["temporary"], in_memory=True)
    if sum(map(_resident, pids)) > most < sum(map(_own, pids)):
        return f"more than {plan['memory_bytes'] >> 20} MiB of memory"
    if files and scratch.used(plan["folder"], in_memory=False) > plan["file_bytes"]:
        return f"more than {plan['file_bytes'] >> 20} MiB of files"
    return None


def _resident(pid: int) -> int:
    """Bytes that may be its own: quickly read, and too much after a fork."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):  # gone in the meantime
        return 0
    return (resident - shared) * PAGE


def _own(pid: int) -> int:
    """Bytes that are its own, its share of what it shares with others included."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            lines = file.readlines()
    except OSError:
        return _resident(pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))


def _reap(leader: int) -> None:
    """Take leave of those that ended and were nobody's; of the leader, `_watch` does."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid == leader:
            return
        os.waitpid(found.si_pid, 0)


def _say(words: str) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
