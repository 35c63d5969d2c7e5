"""The zygote: a warm interpreter that forks a supervisor, and with it a job, for each call.

Talks over one SEQPACKET socket. First comes the plan, answered with `{"ready": true}` or
`{"failed": why}`; then a message for each call, with its descriptors: life, stdout, stderr, request, result.
It answers nothing: what a call has to say goes over its own `life`. When the other end closes, it ends.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from . import job, loopback
from .plan import Call, Limits, Plan
from .supervise import isolate, supervise

MAX_MESSAGE, MAX_DESCRIPTORS = 1 << 16, 250
_OF_A_CALL = 5


class Zygote:
    """The loop; `groups` are descriptors of control groups, those of a slot side by side."""

    def __init__(self, control: socket.socket):
        self._control = control
        self._plan = Plan()
        self._groups: list[dict[str, int]] = []

    def boot(self) -> None:
        """Read the plan, confine this process if so told, and load what jobs will want."""
        message, numbers, *_ = socket.recv_fds(self._control, MAX_MESSAGE, MAX_DESCRIPTORS)
        told = json.loads(message)
        width: list[str] = told["group_names"]
        self._groups = [
            dict(zip(width, numbers[place : place + len(width)], strict=True))
            for place in range(0, len(numbers), max(1, len(width)))
        ]
        self._plan = Plan.read(told["plan"])
        sys.path[:0] = self._plan.paths
        _be_quiet()
        if self._plan.network:
            _hand_over(self._control, loopback.listen())
        if self._plan.filtered:
            job.confine_all(self._plan)
        for name in self._plan.preload:
            try:
                importlib.import_module(name)
            except BaseException:  # noqa: BLE001 - a job that wants it will be told
                continue
        for name in [name for name in sys.modules if name.partition(".")[0] == "guest"]:
            del sys.modules[name]  # jobs have no use for it
        gc.collect()
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self._control.send(b'{"ready": true}')

    def serve(self) -> None:
        """Fork for each call, until the server closes its end."""
        while True:
            message, numbers, *_ = socket.recv_fds(self._control, MAX_MESSAGE, _OF_A_CALL)
            if not message:
                return
            if os.fork() == 0:
                self._call(json.loads(message), numbers)
            for number in numbers:
                os.close(number)

    def _call(self, told: dict[str, Any], numbers: list[int]) -> None:
        """The forked side: never returns."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        life = socket.socket(fileno=numbers[0])
        try:
            self._control.close()
            call = self._read(told)
            if self._plan.namespaces:
                isolate()
                if call.network:
                    _hand_over(life, loopback.listen())
            elif call.network and self._plan.landlock and not self._plan.network:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                _hand_over(life, theirs)
                call = replace(call, broker=(ours.detach(),))
            supervise(self._plan, call, life, numbers[1:])
        except BaseException as error:  # noqa: BLE001 - the border of the process
            life.send(json.dumps(job.describe(error)).encode())
        os._exit(1)

    def _read(self, told: dict[str, Any]) -> Call:
        number: int = told["slot"]
        slot = self._groups[number] if self._groups else dict[str, int]()
        limits = Limits(**told["limits"])
        for name in ("memory_limit", "processes_limit"):
            if name in slot:
                most = limits.memory_bytes if name == "memory_limit" else limits.processes
                os.write(slot[name], str(most).encode())
        return Call(
            limits,
            tuple(told["keep"]),
            tuple(told["argv"]),
            told["network"],
            tuple(number for name, number in slot.items() if name.startswith("procs")),
            slot.get("memory_events"),
        )


def _hand_over(to: socket.socket, listener: socket.socket) -> None:
    """Give the server the socket that its proxy is to answer on."""
    socket.send_fds(to, [b'{"listening": true}'], [listener.fileno()])
    listener.close()


def _be_quiet() -> None:
    """Nobody listens to what modules print while they load."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    os.close(nothing)


def main(descriptor: int) -> None:
    """The whole life of a zygote; `descriptor` is its end of the socket."""
    control = socket.socket(fileno=descriptor)
    try:
        zygote = Zygote(control)
        zygote.boot()
    except BaseException as error:
        control.send(json.dumps(job.describe(error)).encode())
        raise
    zygote.serve()
    os._exit(0)
