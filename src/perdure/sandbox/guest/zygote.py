"""The zygote: a warm interpreter, whose forks are workers that serve calls.

Talks over one SEQPACKET socket. First comes the plan, answered with `{"ready": true}` or
`{"failed": why}`; then a message for each worker, with its descriptors: the socket that it is called by, and
its control groups. It answers nothing more. When the other end closes, it ends.
"""

import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import sys
from typing import Any

from . import confine, job, loopback
from .child import FIRST_FREE
from .plan import Plan, Shape, failed
from .worker import Worker

MAX_MESSAGE, MAX_DESCRIPTORS = 1 << 16, 16


def main(descriptor: int) -> None:
    """The whole life of a zygote; `descriptor` is its end of the socket."""
    control = socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64))
    os.close(descriptor)
    try:
        plan = _boot(control)
    except BaseException as error:
        control.send(failed(error))
        raise
    while message := socket.recv_fds(control, MAX_MESSAGE, MAX_DESCRIPTORS):
        told, numbers, *_ = message
        if not told:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            _work(plan, json.loads(told), numbers)
        for number in numbers:
            os.close(number)


def _boot(control: socket.socket) -> Plan:
    """Read the plan, confine this process if so told, and load what jobs will want."""
    plan = Plan.read(json.loads(control.recv(MAX_MESSAGE)))
    sys.path[:0] = plan.paths
    os.environ.clear()  # noqa: TID251 - not a setting of ours
    _be_quiet(*(number for number in range(FIRST_FREE) if number != job.ERR))
    if plan.network:
        loopback.hand_over(control, loopback.listen())
    if plan.filtered:
        confine.confine_zygote(plan)
    for network in (False, True):
        confine.program(bool(plan.landlock), network, 0)  # once, for all forks
    for name in plan.preload:
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: BLE001 - a job that wants it will be told
            continue
    for name in [name for name in sys.modules if name.partition(".")[0] == "guest"]:
        del sys.modules[name]  # jobs have no use for it
    job.rehearse()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.send(b'{"ready": true}')
    _be_quiet(job.ERR)
    return plan


def _work(plan: Plan, told: dict[str, Any], numbers: list[int]) -> None:
    """The forked side: never returns."""
    life, *groups = numbers
    expected = Shape.read(told["expected"]) if told["expected"] else None
    Worker(plan, socket.socket(fileno=life), dict(zip(told["groups"], groups, strict=True))).serve(expected)


def _be_quiet(*numbers: int) -> None:
    """Nobody listens here, to what modules print while they load for example."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(nothing, number)
    if nothing not in numbers:
        os.close(nothing)
