"""The trial itself, run as a job: each attempt must fail."""

import ctypes
import os
import socket
from collections.abc import Callable

NEW_USER_NAMESPACE = 0x10000000
KEYCTL = {"x86_64": 250, "aarch64": 219}
IO_URING_SETUP = 425


def breaches(path: str, port: int, server: int, secret: str) -> list[str]:
    """What could be done that must not be."""
    attempts: dict[str, Callable[[], object]] = {
        "a file of the server can be read": lambda: read(path).index(secret),
        "the environment of the server can be read": lambda: read(f"/proc/{server}/environ"),
        "the passwords can be read": lambda: read("/etc/shadow"),
        "a local port can be reached": lambda: socket.create_connection(("127.0.0.1", port), 1).close(),
        "a hypervisor socket can be opened": lambda: socket.socket(40, socket.SOCK_STREAM).close(),
        "the server can be signalled": lambda: os.kill(server, 0) if server != os.getpid() else fail(),
        "the system's files can be written": lambda: write("/usr/perdure-probe"),
        "the root folder can be written": lambda: write("/perdure-probe"),
        "namespaces can be made": lambda: call("unshare", NEW_USER_NAMESPACE),
        "the kernel's keys can be reached": lambda: call("syscall", KEYCTL[os.uname().machine], 0, -3, 0),
        "io_uring can be reached": lambda: call(
            "syscall", IO_URING_SETUP, 1, ctypes.create_string_buffer(120)
        ),
    }
    return [what for what, attempt in attempts.items() if succeeds(attempt)]


def succeeds(attempt: Callable[[], object]) -> bool:
    """Whether nothing stopped it."""
    try:
        attempt()
    except (OSError, ValueError):
        return False
    return True


def read(path: str) -> str:
    """All of a file."""
    with open(path) as file:
        return file.read()


def write(path: str) -> None:
    """Make a file."""
    with open(path, "w") as file:
        file.write("x")


def call(name: str, *arguments: object) -> None:
    """A function of the C library; raises OSError when it fails."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        fail()


def fail() -> None:
    """It did not work."""
    raise OSError
