"""A load generator that costs little: it shares the processors with what it measures.

Requests are bytes made beforehand, answers are read only as far as needed to know where they end.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from bench.timing import clock

DONE = b"data: [DONE]"
LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(slots=True)
class Load:
    """Milliseconds of each answer, of each first token where they were streamed, and seconds in all."""

    taken: list[float] = field(default_factory=list[float])
    firsts: list[float] = field(default_factory=list[float])
    elapsed: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.taken) / self.elapsed


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the bytes its first token is known by where the answer is a stream."""

    content: bytes
    first: bytes | None = None


def call(url: str, path: str, body: object, headers: dict[str, str], first: bytes | None = None) -> Call:
    """A request as bytes."""
    content = orjson.dumps(body)
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n{told}"
    return Call(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content, first)


def drive(callers: Sequence[tuple[str, Sequence[Call]]]) -> Load:
    """Let callers work side by side, each on a connection of its own: one call after another."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # not there on Windows
        from asyncio import new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_drive(callers))


async def _drive(callers: Sequence[tuple[str, Sequence[Call]]]) -> Load:
    load = Load()
    opened = [await _connect(url) for url, _ in callers]
    began = clock()
    await asyncio.gather(
        *(_talk(*pair, calls, load) for pair, (_, calls) in zip(opened, callers, strict=True))
    )
    load.elapsed = clock() - began
    for _, writer in opened:
        writer.close()
    return load


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = urlsplit(url).netloc.partition(":")
    return await asyncio.open_connection(host, int(port))


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, calls: Sequence[Call], load: Load
) -> None:
    for each in calls:
        began = clock()
        writer.write(each.content)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{head.decode()}{(await reader.read(500)).decode()}")
        if each.first is None:
            await reader.readexactly(_length(head))
        else:
            load.firsts.append((await _stream(reader, each.first) - began) * 1000)
        load.taken.append((clock() - began) * 1000)


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def _stream(reader: asyncio.StreamReader, first: bytes) -> float:
    """Read a chunked answer to its end; the moment its first token came."""
    seen, came = b"", None
    while not seen.endswith(LAST_CHUNK):
        piece = await reader.read(65536)
        if not piece:
            break
        seen += piece
        if came is None and first in seen:
            came = clock()
    if came is None or DONE not in seen:
        raise SystemExit(f"A stream told no {first!r} or had no end: {seen[-500:]!r}")
    return came
