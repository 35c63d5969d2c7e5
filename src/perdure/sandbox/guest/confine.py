"""What a process gives up for good: capabilities, files, system calls; and what it may use at most."""

import os
import resource
from functools import cache

from . import landlock, linux, seccomp
from .plan import Plan, Shape

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def limit(plan: Plan, shape: Shape) -> None:
    """What the kernel holds one process to."""
    limits = shape.limits
    fixed = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NPROC: limits.processes + 1 + plan.other_processes,  # 1: its worker
    }
    if not shape.runtime:  # other runtimes reserve address space that they never use
        fixed[resource.RLIMIT_AS] = limits.memory_bytes
    for kind, most in fixed.items():
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def confine(plan: Plan, folder: str, *, network: bool) -> None:
    """Give up everything that can be given up; the order matters, for each step forbids earlier ones.

    This process can gain nothing already (`linux.gain_nothing`).
    """
    if plan.unconfined:
        return
    linux.drop_capabilities()
    if plan.landlock:
        landlock.restrict(plan.readable, (*_DEVICES, folder), plan.landlock, tcp=plan.network)
    leader = 0 if plan.landlock >= landlock.SIGNALS_SINCE else os.getpid()
    seccomp.install(program(bool(plan.landlock), plan.network or network, leader if plan.landlock else 0))


def confine_zygote(plan: Plan) -> None:
    """Give up, for the zygote and all its calls, what none of them needs: what it loads is not trusted.

    Each call gives up more. Where namespaces hide everything, files are not restricted here.
    """
    linux.gain_nothing()
    linux.drop_capabilities()
    if plan.landlock and not plan.hidden:
        landlock.restrict((*plan.readable, "/proc"), (*_DEVICES, plan.scratch), plan.landlock)
    seccomp.install(program(bool(plan.landlock), plan.network, 0))


@cache
def program(landlocked: bool, network: bool, leader: int) -> bytes:
    """The filter of system calls. `leader` is the one process that may be signalled, where that counts."""
    internet = (seccomp.AF_INET, seccomp.AF_INET6) if network else ()
    if landlocked:
        rules = seccomp.rules(sockets=internet, files_by_path=False, signal_only=leader)
    else:
        rules = seccomp.rules(sockets=(seccomp.AF_UNIX, *internet))
    return seccomp.program(rules, os.uname().machine)
