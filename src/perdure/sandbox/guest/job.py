"""One job, from a forked process to the end of its code."""

import io
import json
import os
import resource
import sys
from collections.abc import Mapping
from typing import Any

from . import dial, landlock, linux, python, seccomp
from .plan import Call, Plan

NOTHING, OUT, ERR, REQUEST, RESULT = range(5)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def run(plan: Plan, call: Call, folder: str, started: int) -> None:
    """Become the job, which never returns. `started` is closed when its own code begins.

    Descriptors are already where the job expects them (`NOTHING` … `RESULT`).
    """
    given = os.fdopen(os.dup(REQUEST), "rb")
    job = json.loads(given.readline())
    _join(call)
    if plan.namespaces:
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    os.chdir(folder)
    os.umask(0o022)
    _limit(call, plan)
    for name, size in job["files"]:
        _write(name, given.read(size))
    given.close()
    os.lseek(REQUEST, 0, os.SEEK_SET)
    _confine(plan, call, folder)
    os.environ.clear()  # noqa: TID251 - the job's own
    os.environ.update(job["env"])  # noqa: TID251
    if call.argv:
        for number in (REQUEST, RESULT):
            os.set_inheritable(number, True)
        os.close(started)
        os.execve(call.argv[0], list(call.argv), job["env"])
    for number in call.broker:
        dial.install(number)
    _streams()
    os.close(REQUEST)
    os.set_inheritable(RESULT, False)
    os.close(started)
    leader = os.getpid()
    line = python.run(job)
    if os.getpid() == leader:  # a fork of the job's own comes by here, too
        _send(line)
    os._exit(0)


def _join(call: Call) -> None:
    """Enter the call's control groups: whoever writes 0 there moves itself."""
    for number in call.groups:
        os.write(number, b"0")
        os.close(number)


def _limit(call: Call, plan: Plan) -> None:
    limits = call.limits
    fixed = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NPROC: limits.processes + 1 + plan.other_processes,
    }
    if not call.argv:  # other runtimes reserve address space that they never use
        fixed[resource.RLIMIT_AS] = limits.memory_bytes
    for kind, most in fixed.items():
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def _confine(plan: Plan, call: Call, folder: str) -> None:
    """Give up everything that can be given up; the order matters, for each step forbids earlier ones."""
    if plan.unconfined:
        return
    linux.drop_capabilities()
    linux.no_new_privileges()
    if plan.landlock:
        landlock.restrict(plan.readable, (*_DEVICES, folder), plan.landlock, tcp=plan.network)
    leader = 0 if plan.landlock >= landlock.SIGNALS_SINCE else os.getpid()
    filter_calls(plan, network=plan.network or (call.network and not call.broker), leader=leader)


def confine_all(plan: Plan) -> None:
    """Give up, for the zygote and all its calls, what none of them needs: what it loads is not trusted.

    Each call gives up more. Where namespaces hide everything, files are not restricted here.
    """
    linux.drop_capabilities()
    linux.no_new_privileges()
    if plan.landlock and not plan.hidden:
        landlock.restrict((*plan.readable, "/proc"), (*_DEVICES, plan.scratch), plan.landlock)
    filter_calls(plan, network=plan.network)


def filter_calls(plan: Plan, *, network: bool, leader: int = 0) -> None:
    """Install the filter of system calls. `leader` is the one that may be signalled, where that counts."""
    internet = (seccomp.AF_INET, seccomp.AF_INET6) if network else ()
    if plan.landlock:
        rules = seccomp.rules(sockets=internet, files_by_path=False, signal_only=leader)
    else:
        rules = seccomp.rules(sockets=(seccomp.AF_UNIX, *internet))
    seccomp.install(seccomp.program(rules, os.uname().machine))


def _write(name: str, content: bytes) -> None:
    """A file of the job's own folder, which is fresh: no link can lead out of it."""
    path = os.path.join(".", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def _streams() -> None:
    """Fresh text streams on the descriptors of the call; a line is sent when it is whole."""
    sys.stdin = open(NOTHING, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _stream(OUT)
    sys.stderr = _stream(ERR)
    sys.argv = ["tool"]


def _stream(number: int) -> io.TextIOWrapper:
    raw = open(number, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _send(line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(RESULT, rest) :]


def describe(error: BaseException) -> Mapping[str, Any]:
    """Why a job could not begin."""
    return {"failed": f"{type(error).__name__}: {error}"}
