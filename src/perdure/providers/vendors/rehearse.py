"""Loads and exercises what a first call would otherwise wait for."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from perdure.content.parts import Message, Text
from perdure.providers.base import ModelError, ModelRequest
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors.client import LAZY, load
from perdure.providers.vendors.http import close_pool, tls
from perdure.providers.vendors.wire import chat_client

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    b'data: {"choices": [{"delta": {"content": "ready"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


def warm(types: Iterable[str]) -> None:
    """Import what these provider types need and make one call to a server of our own, on loopback.

    Blocks for a part of a second (some, with Google or Bedrock), so run it in a thread after start.
    """
    tls()
    with suppress(OSError, ModelError):  # where loopback is closed there is nothing to warm
        asyncio.run(_rehearse())
    for name in {LAZY[type_] for type_ in types if type_ in LAZY}:
        with suppress(ImportError):  # its first call will say what to install
            load(name)


async def _rehearse() -> None:
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = chat_client(Endpoint("rehearsal", "openai", f"http://127.0.0.1:{port}", idle_seconds=2))
        request = ModelRequest("rehearsal", "", (Message("user", (Text("Ready?"),)),))
        try:
            async for _ in client.stream(request):
                pass
        finally:
            await close_pool()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    writer.close()
