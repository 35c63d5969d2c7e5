"""Run inside a sandbox with a network of its own: its loopback, and a socket on it for the proxy.

A socket belongs to the network it was made in, whoever accepts on it. So the one that the guest makes
here is handed to the server, which answers on it, and nothing has to carry bytes in between. Nothing but
the standard library is imported.
"""

import fcntl
import socket
import struct

PORT = 3128  # of the proxy, in every network of a sandbox
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
REQUEST = struct.Struct("16sH14x")  # struct ifreq, with flags
BACKLOG = 64


def listen(port: int = PORT) -> socket.socket:
    """A socket that listens on the loopback.

    In a new network that is down and is brought up first, which needs CAP_NET_ADMIN there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, SIOCGIFFLAGS, REQUEST.pack(b"lo", 0))
        flags = REQUEST.unpack(answer)[1]
        if not flags & IFF_UP:
            fcntl.ioctl(control, SIOCSIFFLAGS, REQUEST.pack(b"lo", flags | IFF_UP))
    listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def hand_over(to: socket.socket, listener: socket.socket) -> None:
    """Give the server the socket that its proxy is to answer on."""
    socket.send_fds(to, [b'{"listening": true}'], [listener.fileno()])
    listener.close()
