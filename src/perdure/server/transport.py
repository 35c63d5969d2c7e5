"""How answers leave: head and body in one write, where uvicorn makes two."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = b"HTTP/1.1 "


class HeadHeld:
    """A transport that keeps a head for the first piece of its body, until the loop's next turn at most.

    Every write wakes the caller's process: for a short answer that is a good part of sending it.
    """

    def __init__(self, transport: asyncio.Transport):
        self._transport = transport
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send, together with what was held."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(HEAD):
            self._held = data
            asyncio.get_running_loop().call_soon(self._release)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close when all is sent."""
        self._release()
        self._transport.close()

    def _release(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        """The rest is the transport's own."""
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """Uvicorn's HTTP over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The event loop's: connected."""
        super().connection_made(HeadHeld(transport))  # pyright: ignore[reportArgumentType]
