"""What a job reaches through its proxy: real clients, real sockets, names that mean what the test wants."""

import asyncio
import contextlib
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from perdure.sandbox.base import Network
from perdure.sandbox.egress.proxy import Egress, proxy_environment
from perdure.sandbox.guest import loopback
from perdure.sandbox.settings import EgressSettings

LOOPBACK = [ip_network("127.0.0.0/8")]
NOWHERE: list[Any] = []


class Site:
    """Answers a path with its name, `/away` with a redirect to a cloud's metadata, other bytes with them."""

    port = 0

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readline()
        self.asked.append(first)
        if not first.endswith(b"HTTP/1.1\r\n"):
            writer.write(first)
        elif first.split()[1] == b"/silent":
            await reader.read()
        elif first.split()[1] == b"/large":
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 500_000)
        else:
            self.asked[-1] += await reader.readuntil(b"\r\n\r\n")
            status = b"302 Found\r\nlocation: http://169.254.169.254/"
            status = status if first.split()[1] == b"/away" else b"200 OK"
            body = first.split()[1]
            writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def names(**known: str) -> Callable[[str, int], Any]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if host.startswith("missing"):
            raise socket.gaierror("no such name")
        return known.get(host.replace(".", "_"), host).split()

    return resolve


@asynccontextmanager
async def proxied(
    site: Site, network: Network, resolve: Any = None, networks: Any = LOOPBACK, **settings: Any
) -> AsyncGenerator[str]:
    settings = {"ports": {80, 443, site.port}, **settings}
    resolve = resolve or names(good_example="127.0.0.1")
    egress = Egress(network, EgressSettings(**settings), networks, resolve)
    listener = loopback.listen(0)
    port = listener.getsockname()[1]
    egress.listen(listener)
    try:
        yield proxy_environment(port)["HTTP_PROXY"]
    finally:
        await egress.close()


async def get(proxy: str, url: str) -> httpx.Response:
    async with httpx.AsyncClient(proxy=proxy, trust_env=False, follow_redirects=True) as client:
        return await client.get(url)


def opened(proxy: str, url: str) -> bytes:
    handler = urllib.request.ProxyHandler({"http": proxy, "https": proxy})
    with urllib.request.build_opener(handler).open(url, timeout=5) as answer:
        return answer.read()


async def tunnel(proxy: str, place: str) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.rpartition(":")[2]))
    writer.write(f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
    return await reader.readline(), reader, writer


async def test_a_granted_host_is_reached_by_real_clients(site: Site) -> None:
    async with proxied(site, Network(("good.example",))) as proxy:
        url = f"http://good.example:{site.port}/a"
        assert (await get(proxy, url)).text == "/a"
        assert await asyncio.to_thread(opened, proxy, url) == b"/a"
    assert f"Host: good.example:{site.port}".encode() in site.asked[0]


def tunnelled(site: Site) -> Network:
    """Our own server by https: the one place of this machine that a tunnel leads to."""
    return Network(("*",), server=f"https://127.0.0.1:{site.port}")


async def test_a_tunnel_carries_bytes_both_ways(site: Site) -> None:
    async with proxied(site, tunnelled(site)) as proxy:
        status, reader, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
        assert status.startswith(b"HTTP/1.1 200 ")
        await reader.readline()
        writer.write(b"any words\n")
        assert await reader.readline() == b"any words\n"
        writer.close()


async def test_a_host_that_is_not_granted_is_refused_in_words_that_clients_show(site: Site) -> None:
    async with proxied(site, Network(("good.example",))) as proxy:
        answer = await get(proxy, f"http://evil.example:{site.port}/")
        assert answer.status_code == 403
        assert answer.text == "Host evil.example is not allowed for this tool; allowed are good.example\n"
        with pytest.raises(httpx.ProxyError, match=r"evil\.example is not allowed"):
            await get(proxy, "https://evil.example/")
        with pytest.raises(urllib.error.URLError, match=r"evil\.example is not allowed"):
            await asyncio.to_thread(opened, proxy, "https://evil.example/")
    assert not site.asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%eth0", "2002:7f00:1::"),
    ],
)
async def test_a_name_that_leads_inside_is_refused(site: Site, address: str) -> None:
    resolve = names(good_example=address)
    async with proxied(site, Network(("*",)), resolve, NOWHERE) as proxy:
        answer = await get(proxy, "http://good.example/")
        assert (answer.status_code, answer.text) == (403, "Host good.example is not a public address\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "localhost"])
async def test_no_spelling_of_the_loopback_is_reached(site: Site, host: str) -> None:
    resolve = names(localhost="127.0.0.1", **{"2130706433": "127.0.0.1"})
    async with proxied(site, Network(("*",)), resolve, NOWHERE) as proxy:
        status, _, writer = await tunnel(proxy, f"{host}:{site.port}")
        assert status.startswith(b"HTTP/1.1 403 ")
        writer.close()
    assert not site.asked


async def test_a_redirect_to_a_private_address_is_refused(site: Site) -> None:
    async with proxied(site, Network(("*",))) as proxy:
        answer = await get(proxy, f"http://127.0.0.1:{site.port}/away")
        assert (answer.status_code, answer.text) == (403, "Host 169.254.169.254 is not a public address\n")


async def test_a_name_is_resolved_once_and_its_checked_address_is_the_one_connected_to(site: Site) -> None:
    asked: list[str] = []

    async def changing(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with proxied(site, Network(("*",)), changing) as proxy:
        for _ in range(2):
            assert (await get(proxy, f"http://changing.example:{site.port}/a")).text == "/a"
    assert asked == ["changing.example"]


async def test_other_ports_are_refused(site: Site) -> None:
    async with proxied(site, Network(("*",)), ports={443, 80}) as proxy:
        status, _, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
        assert status == b"HTTP/1.1 403 Port %d is not allowed for tools; allowed are 80, 443\r\n" % site.port
        writer.close()


async def test_our_own_server_is_reached_although_it_is_on_the_loopback(site: Site) -> None:
    own = Network(server=f"http://127.0.0.1:{site.port}")
    async with proxied(site, own, networks=NOWHERE, ports={443}) as proxy:
        assert (await get(proxy, f"http://127.0.0.1:{site.port}/v1")).text == "/v1"
        answer = await get(proxy, f"http://127.0.0.1:{site.port + 1}/v1")
        assert (answer.status_code, answer.text) == (
            403,
            "Host 127.0.0.1 is not allowed for this tool; no host is\n",
        )
        status, _, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
        assert status == b"HTTP/1.1 200 Connection established\r\n"
        writer.close()


async def test_what_a_tunnel_to_our_own_server_carries_says_that_a_job_asks(site: Site) -> None:
    own = Network(server=f"http://127.0.0.1:{site.port}")
    async with proxied(site, own, networks=NOWHERE) as proxy:
        for path, status in ((b"/v1", b"200"), (b"http://127.0.0.1:1/", b"400"), (b"@127.0.0.1:1/", b"400")):
            _, reader, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
            await reader.readline()
            writer.write(b"GET %b HTTP/1.1\r\nHost: other\r\nConnection: keep-alive\r\n\r\n" % path)
            assert (await reader.read()).split()[1] == status
            writer.close()
        _, reader, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
        await reader.readline()
        writer.write(b"\x16\x03\x01\r\n\r\n")
        assert (await reader.read()).split()[1] == b"400"
        writer.close()
    [asked] = site.asked
    assert b"\r\nx-perdure-job: 1\r\n" in asked
    assert b"keep-alive" not in asked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "good.example", "mapped.example"])
async def test_every_spelling_of_our_own_server_is_told_that_a_job_asks(site: Site, host: str) -> None:
    named = {"127_0_0_2": "127.0.0.1"}
    resolve = names(
        **named, localhost="127.0.0.1", good_example="127.0.0.1", mapped_example="::ffff:127.0.0.1"
    )
    own = Network(("*",), server=f"http://127.0.0.1:{site.port}")
    async with proxied(site, own, resolve) as proxy:
        assert (await get(proxy, f"http://{host}:{site.port}/v1")).text == "/v1"
        status, _, writer = await tunnel(proxy, f"{host}:{site.port}")
        if host != "127.0.0.1":
            assert status.startswith(b"HTTP/1.1 403 ")
            assert b"is asked by http, not through a tunnel" in status
        writer.close()
    assert [b"\r\nx-perdure-job: 1\r\n" in asked for asked in site.asked] == [True]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400 "),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400 "),
        (b"GET http://a/ HTTP/1.1\r\nx: " + b"y" * 40_000, b"431 "),
        (b"GET http://missing.example/ HTTP/1.1\r\n\r\n", b"502 Host missing.example is not known"),
        (b"GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n", b"502 127.0.0.1:1 cannot be reached"),
    ],
)
async def test_what_cannot_be_done_is_answered_in_words(site: Site, sent: bytes, status: bytes) -> None:
    async with proxied(site, Network(("*",)), ports={80, 1}) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.rpartition(":")[2]))
        writer.write(sent)
        assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
        writer.close()


async def test_the_bytes_of_a_job_are_limited(site: Site) -> None:
    async with proxied(site, Network(("*",)), max_bytes=100_000) as proxy:
        with contextlib.suppress(httpx.HTTPError):
            answer = await get(proxy, f"http://127.0.0.1:{site.port}/large")
            assert len(answer.content) < 200_000
        again = await get(proxy, f"http://127.0.0.1:{site.port}/a")
        assert again.text == "This call has used up its 100000 bytes of network\n"


async def test_the_connections_of_a_job_are_limited(site: Site) -> None:
    async with proxied(site, tunnelled(site), connections=2) as proxy:
        held = [await tunnel(proxy, f"127.0.0.1:{site.port}") for _ in range(2)]
        status, _, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
        assert status == b"HTTP/1.1 503 More than 2 connections at once\r\n"
        for _, _, one in [*held, (status, None, writer)]:
            one.close()


async def test_a_silent_connection_is_ended(site: Site) -> None:
    async with proxied(site, Network(("*",)), idle_seconds=0.1) as proxy:
        with pytest.raises(httpx.RemoteProtocolError):
            await get(proxy, f"http://127.0.0.1:{site.port}/silent")


async def test_closing_ends_what_is_under_way(site: Site) -> None:
    async with proxied(site, tunnelled(site)) as proxy:
        _, reader, writer = await tunnel(proxy, f"127.0.0.1:{site.port}")
    await reader.readline()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", int(proxy.rpartition(":")[2]))


GUEST = """
import ctypes, os, socket, sys, urllib.request
sys.path.insert(0, sys.argv[1])
import loopback
if ctypes.CDLL(None).unshare(0x40000000 | 0x10000000):  # CLONE_NEWNET, CLONE_NEWUSER
    sys.exit(77)
listener = loopback.listen()
control = socket.socket(fileno=int(sys.argv[2]))
socket.send_fds(control, [b"x"], [listener.fileno()])
port = listener.getsockname()[1]
listener.close()
control.recv(1)
os.environ["http_proxy"] = f"http://127.0.0.1:{port}"
print(urllib.request.urlopen(sys.argv[3], timeout=5).read().decode())
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[3].split(":")[2].split("/")[0])), 2)
except OSError as error:
    print(type(error).__name__)
"""


async def test_a_guest_in_a_network_of_its_own_reaches_nothing_but_the_proxy(site: Site) -> None:
    ours, theirs = socket.socketpair()
    folder = Path(loopback.__file__).parent
    guest = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", GUEST, str(folder), str(theirs.fileno()), f"http://127.0.0.1:{site.port}/inside"),
        pass_fds=[theirs.fileno()],
        stdout=asyncio.subprocess.PIPE,
    )
    theirs.close()
    _, handed, _, _ = await asyncio.to_thread(socket.recv_fds, ours, 1, 1)
    if not handed:
        assert await guest.wait() == 77
        pytest.skip("namespaces cannot be made here")
    own = Network(server=f"http://127.0.0.1:{site.port}")
    egress = Egress(own, EgressSettings())
    egress.listen(socket.socket(fileno=handed[0]))
    ours.send(b"x")
    said, _ = await guest.communicate()
    await egress.close()
    ours.close()
    assert said.decode().split() == ["/inside", "ConnectionRefusedError"]


async def test_of_what_comes_through_a_broker_only_local_streams_are_answered(site: Site) -> None:
    egress = Egress(Network(("*",)), EgressSettings(ports=frozenset({site.port}), connections=3), LOOPBACK)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    egress.listen(theirs)
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        for bad in (2, tcp.fileno(), udp.fileno(), ours.fileno()):
            socket.send_fds(ours, [b"x"], [bad])
    ours.send(b"without any")
    near, far = socket.socketpair()
    socket.send_fds(ours, [b"x"], [far.fileno()])
    far.close()
    near.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=near)
    writer.write(b"GET http://127.0.0.1:%d/pair HTTP/1.1\r\n\r\n" % site.port)
    assert (await reader.read()).endswith(b"/pair")
    writer.close()
    ours.close()
    await egress.close()


async def test_calls_side_by_side_bring_their_own_bytes_and_are_told_what_was_refused_meanwhile(
    site: Site,
) -> None:
    settings = EgressSettings(ports=frozenset({site.port}), max_bytes=600_000)
    egress = Egress(Network(("127.0.0.1",)), settings, LOOPBACK)
    listener = loopback.listen(0)
    proxy = proxy_environment(listener.getsockname()[1])["HTTP_PROXY"]
    egress.listen(listener)

    async def carried() -> int:
        return len((await get(proxy, f"http://127.0.0.1:{site.port}/large")).content)

    try:
        with egress.call() as first:
            await get(proxy, f"http://other.example:{site.port}/")
            with egress.call() as second:
                assert [await carried(), await carried()] == [500_000, 500_000]
                assert (len(first()), len(second())) == (1, 0)
        with egress.call() as third:
            assert await carried() == 500_000
            assert await carried() < 500_000
            assert not third()
    finally:
        await egress.close()
