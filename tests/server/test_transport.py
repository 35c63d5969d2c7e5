"""Head and body of an answer leave together, and neither waits for what may not come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from perdure.server.transport import HeadHeld, Protocol


class Recorder:
    """A transport that notes what is written to it."""

    def __init__(self):
        self.writes = []
        self.closed = False

    def write(self, data):
        self.writes.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


async def test_a_head_leaves_with_the_first_piece_of_its_body():
    real = Recorder()
    held = HeadHeld(real)
    for data in (b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two"):
        held.write(data)
    assert real.writes == [b"HTTP/1.1 200 OK\r\n\r\none", b"two"]
    await asyncio.sleep(0)
    assert len(real.writes) == 2


async def test_a_head_alone_leaves_at_once():
    real = Recorder()
    held = HeadHeld(real)
    held.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await asyncio.sleep(0)
    held.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert not held.is_closing()
    held.close()
    assert real.writes == [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]
    assert real.closed


@asynccontextmanager
async def serving(app) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", http=Protocol))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def test_a_stream_begins_before_its_first_event():
    go_on = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-one", b"1")]})
        await go_on.wait()
        for piece in (b"data: 1\n\n", b"HTTP/1.1 in the middle", b""):
            await send({"type": "http.response.body", "body": piece, "more_body": bool(piece)})

    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            go_on.clear()
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert b"x-one: 1" in head
            go_on.set()
            body = await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
            assert b"data: 1" in body
            assert b"HTTP/1.1 in the middle" in body
        writer.close()
