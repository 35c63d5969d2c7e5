"""Calls over connections of our own: kept, lost, slow, encrypted, and answers of every framing."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from perdure.content.parts import Message, Text
from perdure.providers.base import Exchange, ModelBadRequest, ModelRequest, TextDelta
from perdure.providers.endpoint import Endpoint
from perdure.providers.vendors import close_pool, open_client
from perdure.providers.vendors.connection import ConnectionLost, Connections, Place
from perdure.providers.vendors.target import BadHeader, target_of
from perdure.testing.model_server import ModelServer

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\nX-Two: 2\r\n\r\nhello world"
EARLY_NEWS = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + COUNTED


@asynccontextmanager
async def serving(
    answer: Answer, encryption: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[tuple[Place, list[int]]]:
    """A server that answers each request as told; where it is, and how many requests each connection had."""
    calls: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(calls)
        calls.append(0)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                calls[number] += 1
                await answer(body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=encryption)
    try:
        yield Place("127.0.0.1", server.sockets[0].getsockname()[1], encryption is not None), calls
    finally:
        server.close()  # connections that are kept live on, so it is not waited for


def saying(words: bytes, *, then_close: bool = False, cut: int = 0) -> Answer:
    """Always these bytes, in pieces of `cut`."""

    async def answer(_body: bytes, writer: asyncio.StreamWriter) -> None:
        size = cut or len(words)
        for start in range(0, len(words), size):
            writer.write(words[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        if then_close:
            writer.close()

    return answer


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    made = Connections(ssl.create_default_context())
    yield made
    made.close()


async def called(connections: Connections, place: Place, body: bytes = b"hi", idle: float = 5) -> bytes:
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    connection = await connections.ask(place, request, idle)
    try:
        assert connection.status == 200
        return b"".join([piece async for piece in connection.pieces(idle)])
    finally:
        await connection.aclose()


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("words", [CHUNKED, COUNTED, EARLY_NEWS])
async def test_a_connection_is_kept_whatever_ends_the_answer(
    connections: Connections, words: bytes, cut: int
) -> None:
    async with serving(saying(words, cut=cut)) as (place, calls):
        for _ in range(3):
            assert await called(connections, place) == b"hello world"
        assert calls == [3]


async def test_an_answer_may_end_with_its_connection(connections: Connections) -> None:
    async with serving(saying(UNTIL_THE_END, then_close=True)) as (place, calls):
        assert [await called(connections, place) for _ in range(2)] == [b"hello world"] * 2
        assert calls == [1, 1]


async def test_calls_at_once_have_connections_of_their_own(connections: Connections) -> None:
    async with serving(saying(CHUNKED)) as (place, calls):
        await asyncio.gather(*(called(connections, place) for _ in range(5)))
        await called(connections, place)
        assert sorted(calls) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("words", [CHUNKED[:-9], COUNTED[:-3], b"", b"no http\r\n\r\n"])
async def test_an_answer_that_breaks_off_is_no_answer(connections: Connections, words: bytes) -> None:
    async with serving(saying(words, then_close=True)) as (place, calls):
        with pytest.raises(ConnectionLost):
            await called(connections, place)
        assert calls == [1]


async def test_a_kept_connection_that_speaks_unasked_is_not_used(connections: Connections) -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"
    async with serving(saying(COUNTED + late)) as (place, calls):
        for _ in range(2):
            assert await called(connections, place) == b"hello world"
        assert calls == [1, 1]


async def test_silence_ends_a_call_and_signs_of_life_do_not(connections: Connections) -> None:
    async def slowly(_body: bytes, writer: asyncio.StreamWriter) -> None:
        for place in range(0, len(COUNTED), 10):
            await asyncio.sleep(0.05)
            writer.write(COUNTED[place : place + 10])

    async with serving(slowly) as (place, _):
        assert await called(connections, place, idle=0.2) == b"hello world"
    async with serving(saying(COUNTED[:-3])) as (place, _):
        with pytest.raises(TimeoutError):
            await called(connections, place, idle=0.1)


async def test_a_large_request_is_sent_whole_and_one_that_nobody_takes_ends(connections: Connections) -> None:
    large = bytes(20_000_000)
    async with serving(saying(CHUNKED)) as (place, calls):
        assert await called(connections, place, large) == b"hello world"
        assert calls == [1]

    async def stuck(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.close()

    async with await asyncio.start_server(stuck, "127.0.0.1", 0, limit=1024) as server:
        place = Place("127.0.0.1", server.sockets[0].getsockname()[1], False)
        with pytest.raises(TimeoutError):
            await called(connections, place, large, idle=0.1)


async def test_where_nobody_listens_there_is_no_connection(connections: Connections) -> None:
    with pytest.raises(ConnectionRefusedError):
        await called(connections, Place("127.0.0.1", 9, False))


async def test_a_call_that_is_given_up_in_the_middle_leaves_no_connection_behind(
    connections: Connections,
) -> None:
    async with serving(saying(CHUNKED[:-7])) as (place, calls):
        connection = await connections.ask(place, b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", 5)
        reading = connection.pieces(5)
        assert await anext(reading)
        waiting = asyncio.ensure_future(anext(reading))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await connection.aclose()
        with pytest.raises(TimeoutError):
            await called(connections, place, idle=0.05)
        assert calls == [1, 1]


async def test_an_address_that_leads_nowhere_delays_little(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as stack:
        dead = stack.enter_context(socket.socket())
        dead.bind(("127.0.0.2", 0))
        dead.listen(0)
        port = dead.getsockname()[1]
        for _ in range(4):  # its queue is full: who comes now hears nothing
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.2", port))

        async def both(_host: str, port: int, **_: Any) -> list[Any]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
        async with serving(saying(COUNTED), port=port):
            async with asyncio.timeout(5):
                assert await called(connections, Place("two.example", port, False)) == b"hello world"


def test_the_loop_of_the_server_can_do_it_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def call_localhost() -> bytes:
        connections = Connections(ssl.create_default_context())
        async with serving(saying(COUNTED)) as (place, _):
            try:
                return await called(connections, Place("localhost", place.port, False))
            finally:
                connections.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(call_localhost()) == b"hello world"


async def test_certificates_are_checked(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "both.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(encoding, form, serialization.NoEncryption())
    pem.write_bytes(secret + made.public_bytes(encoding))
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(pem)
    trusting = Connections(ssl.create_default_context(cafile=pem))
    async with serving(saying(CHUNKED), ours) as (place, calls):
        named = Place("localhost", place.port, True)
        for _ in range(2):
            assert await called(trusting, named) == b"hello world"
        assert calls == [2]
        with pytest.raises(ssl.SSLCertVerificationError):
            await called(trusting, place)  # another name than the certificate's
        with pytest.raises(ssl.SSLCertVerificationError):
            await called(Connections(ssl.create_default_context()), named)
        trusting.close()


@pytest.mark.parametrize(
    ("url", "place", "host", "path", "shown"),
    [
        (
            "https://me:s%20cret@Example.com/a b?key=1",
            Place("example.com", 443, True),
            "example.com",
            "/a%20b?key=1",
            "https://example.com/a%20b",
        ),
        (
            "http://[::1]:8080/v1",
            Place("::1", 8080, False),
            "[::1]:8080",
            "/v1",
            "http://[::1]:8080/v1",
        ),
    ],
)
def test_an_address_is_taken_apart(url: str, place: Place, host: str, path: str, shown: str) -> None:
    target = target_of(url)
    assert (target.place, target.host, target.path, target.shown) == (place, host, path, shown)
    sent = target.request({"x-one": "1"}, b"{}").decode()
    assert sent.startswith(f"POST {path} HTTP/1.1\r\nhost: {host}\r\n")
    assert sent.endswith("x-one: 1\r\ncontent-length: 2\r\n\r\n{}")
    assert ("authorization: Basic bWU6cyBjcmV0\r\n" in sent) is ("me:" in url)


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\0b", "\u20ac"])
def test_a_header_cannot_smuggle_another(value: str) -> None:
    with pytest.raises(BadHeader, match="'x-key'"):
        target_of("http://localhost").request({"x-key": value}, b"")


async def test_a_key_that_no_header_can_carry_is_refused_in_words() -> None:
    client = open_client(Endpoint("mine", "vllm", "http://127.0.0.1:9", "key\n"))
    with pytest.raises(ModelBadRequest, match=r"'mine': the header 'authorization'"):
        async for _ in client.stream(ModelRequest("m", "", ())):
            pass
    await close_pool()


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted server answers for any host: it takes a proxy's part."""
    with ModelServer() as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        await close_pool()
        client = open_client(Endpoint("mine", "vllm", "http://models.example", "k"))
        exchange = Exchange()
        request = ModelRequest("scripted", "", (Message("user", (Text("say:hello"),)),))
        events = [event async for event in client.stream(request, exchange)]
        assert TextDelta("hello") in events
        assert exchange.url == "http://models.example/v1/chat/completions"
        await close_pool()
