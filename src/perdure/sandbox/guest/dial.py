"""Connections to the proxy for a job that may open no socket to any network: pairs of local ones.

Where there are no namespaces, internet sockets cannot be allowed, for they would reach everything. So the
sockets that programs make here are one end of a pair, and connecting them to the proxy's address hands
the other end to the server. Only programs in Python can do that.
"""

import contextlib
import os
import socket
from typing import Any

from .loopback import PORT

BROKER = 255  # out of the way: programs get low descriptors
_PROXY = ("127.0.0.1", PORT)
_KIND = 0xF  # of a type, without the flags
_INTERNET = (-1, socket.AF_INET, socket.AF_INET6)


class _Dialled(socket.socket):
    """An internet stream socket, as far as programs can tell, that can be connected to the proxy alone."""

    broker: socket.socket

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None):
        self._theirs: socket.socket | None = None
        if (
            fileno is not None
            or family not in _INTERNET
            or (type != -1 and type & _KIND != socket.SOCK_STREAM)
        ):
            super().__init__(family, type, proto, fileno)
            return
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        family = socket.AF_INET if family == -1 else family
        super().__init__(family, socket.SOCK_STREAM, max(proto, 0), ours.detach())

    def connect(self, address: Any, /) -> None:
        if self._theirs is None or isinstance(address, str | bytes):
            super().connect(address)
        elif tuple(address[:2]) != _PROXY:
            raise ConnectionRefusedError(111, "Connection refused: the network is behind HTTP_PROXY")
        else:
            socket.send_fds(self.broker, [b"x"], [self._theirs.fileno()])
            self._theirs.close()
            self._theirs = None

    def connect_ex(self, address: Any, /) -> int:
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or 111
        return 0

    def setsockopt(self, level: int, *options: Any) -> None:
        with contextlib.suppress(OSError) if level == socket.IPPROTO_TCP else contextlib.nullcontext():
            super().setsockopt(level, *options)

    def getpeername(self) -> Any:
        return _PROXY if self.family in _INTERNET else super().getpeername()

    def getsockname(self) -> Any:
        return ("127.0.0.1", 0) if self.family in _INTERNET else super().getsockname()

    def close(self) -> None:
        if self._theirs is not None:
            self._theirs.close()
        super().close()


def install(broker: int) -> None:
    """Have programs of this process connect by the broker, which is this descriptor."""
    os.dup2(broker, BROKER, inheritable=False)
    os.close(broker)
    _Dialled.broker = socket.socket(fileno=BROKER)
    socket.socket = _Dialled
