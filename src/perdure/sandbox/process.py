"""The process of a zygote: started, told its plan, killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.sandbox.base import SandboxUnavailable

BOOT_SECONDS = 20.0
MAX_ANSWER = 1 << 16
PLACES = ("{info}", "{control}")


@dataclass(frozen=True, slots=True)
class Command:
    """How a zygote is started: `{control}` is its socket, `{info}` where to write which process to kill.

    `tells_child`: it does write that; else it is the process that is started.
    """

    arguments: tuple[str, ...]
    tells_child: bool = False


@dataclass(slots=True)
class Process:
    """A zygote that is ready for calls."""

    control: socket.socket
    child: subprocess.Popen[bytes]
    inner: int
    listener: socket.socket | None = None  # of its network, for the proxy
    release: Callable[[], None] = lambda: None  # what is given back when it has ended

    def kill(self) -> None:
        """End it with everything in it, at once; waits for that."""
        for pid in (self.inner, self.child.pid):
            if self.child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(2)
        self.release()


def boot(
    command: Command,
    plan: Mapping[str, Any],
    enter: Callable[[int], None] = lambda _: None,
    seconds: float = BOOT_SECONDS,
) -> Process:
    """Start a zygote and wait until it is ready; blocks. Raises `SandboxUnavailable`, saying why.

    `enter` is given its process before that has loaded anything.
    """
    process = _started(command)
    try:
        enter(process.inner)
        answer = _told_plan(process, plan, seconds)
    except OSError as error:
        answer = json.dumps({"failed": f"no answer ({error})"}).encode()
    _check(process, answer)
    process.control.setblocking(False)
    return process


def _started(command: Command) -> Process:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, telling = os.pipe()
    arguments = [
        word.format(info=telling, control=theirs.fileno()) if word in PLACES else word
        for word in command.arguments
    ]
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},  # a process's first environment can be read in /proc for ever
            pass_fds=(theirs.fileno(), *([telling] if command.tells_child else [])),
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        ours.close()
        os.close(reading)
        raise SandboxUnavailable(f"{arguments[0]} could not be started: {error.strerror}.") from error
    finally:
        theirs.close()
        os.close(telling)
    with os.fdopen(reading, "rb") as told:
        inner = _inner(told.read()) if command.tells_child else child.pid
    return Process(ours, child, inner or child.pid)


def _told_plan(process: Process, plan: Mapping[str, Any], seconds: float) -> bytes:
    """What a zygote answers to its plan, when it has loaded all; its network's listener comes before."""
    control = process.control
    control.settimeout(seconds)
    control.send(json.dumps(plan).encode())
    if plan.get("network"):  # comes before anything that is not ours has run
        _, numbers, *_ = socket.recv_fds(control, MAX_ANSWER, 1)
        process.listener = socket.socket(fileno=numbers[0]) if numbers else None
    return control.recv(MAX_ANSWER)


def _inner(told: bytes) -> int:
    try:
        return int(json.loads(told)["child-pid"])
    except (ValueError, KeyError):
        return 0


def _read(answer: bytes) -> dict[str, Any]:
    """What it answered; code of tenants may have answered in its place."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _check(process: Process, answer: bytes) -> None:
    """Raise what went wrong, with what the process wrote to standard error."""
    told = _read(answer) if answer else {"failed": "it ended"}
    stderr = process.child.stderr
    if told.get("ready"):
        if stderr:
            stderr.close()
        return
    process.control.close()
    process.kill()
    said = stderr.read(2000).decode(errors="replace").strip() if stderr else ""
    if stderr:
        stderr.close()
    reason = said.splitlines()[-1] if said else told.get("failed") or "it answered something else"
    raise SandboxUnavailable(f"The sandbox could not be started: {reason}")
