"""Fetching what others name: over real sockets, with a resolver that says what the test wants."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import ip_network

import pytest

from perdure.kit.errors import InvalidArgument
from perdure.kit.outbound import Fetcher, FetchFailed, OutboundSettings, same_origin, shown

LOOPBACK = ip_network("127.0.0.0/8")


class Site:
    """Answers by path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.pages: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def page(self, path: str, body: bytes = b"", status: str = "200 OK", **headers: str) -> str:
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.pages[path] = f"HTTP/1.1 {status}\r\n{head}connection: close\r\n\r\n".encode() + body
        return f"{self.url}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(asked)
        path = asked.split(" ")[1]
        if path in self.pages:
            writer.write(self.pages[path])
        elif path == "/endless":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(1000):
                writer.write(b"x" * 10_000)
        if path != "/silent":
            writer.close()
        else:
            await reader.read()
            writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def names(**known: Sequence[str]) -> Callable:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return known.get(host.replace(".", "_"), [host])

    return resolve


def open_fetcher(**settings) -> Fetcher:
    resolve = settings.pop("resolve", names())
    return Fetcher(OutboundSettings(networks=[LOOPBACK], **settings), resolve)


async def test_what_is_there_is_fetched(site: Site) -> None:
    url = site.page("/a", b"words", content_type="Text/Plain; charset=utf-8")
    answer = await open_fetcher().get(url, {"accept": "text/*"})
    assert (answer.status, answer.content_type, answer.content, answer.ok) == (
        200,
        "text/plain",
        b"words",
        True,
    )
    assert "accept: text/*" in site.asked[0]


async def test_a_name_is_connected_to_the_address_that_was_checked(site: Site) -> None:
    site.page("/a", b"words")
    fetcher = open_fetcher(resolve=names(pictures_example=["10.1.2.3", "127.0.0.1"]))
    answer = await fetcher.get(f"http://pictures.example:{site.port}/a#part")
    assert answer.content == b"words"
    assert f"host: pictures.example:{site.port}" in site.asked[0]


async def test_by_default_nothing_private_is_asked(site: Site) -> None:
    fetcher = Fetcher(OutboundSettings())
    for url in (
        site.url,
        f"http://localhost:{site.port}",
        f"http://2130706433:{site.port}",
        f"http://127.1:{site.port}",
    ):
        with pytest.raises(FetchFailed, match=r"outbound\.networks"):
            await fetcher.get(url)
    assert site.asked == []


async def test_an_address_that_may_be_our_own_server_is_told_for_whom_it_is_asked(site: Site) -> None:
    url = site.page("/a", b"words")
    fetcher = open_fetcher(resolve=names(pictures_example=["127.0.0.1"]))
    await fetcher.get(f"http://pictures.example:{site.port}/a")
    await fetcher.post(url, b"{}", {})
    assert ["\r\nx-perdure-job: 1\r\n" in asked for asked in site.asked] == [True, True]


@pytest.mark.parametrize(
    ("host", "kept"), [("127.0.0.1", True), ("127.0.0.2", False), ("other.example", False)]
)
async def test_the_headers_of_a_caller_stay_at_their_origin(site: Site, host: str, kept: bool) -> None:
    site.page("/b", b"there")
    url = site.page("/a", status="302 Found", location=f"http://{host}:{site.port}/b")
    fetcher = open_fetcher(resolve=names(**{"other_example": ["127.0.0.1"], "127_0_0_2": ["127.0.0.1"]}))
    await fetcher.get(url, {"X-Api-Key": "secret", "Authorization": "Bearer s", "Accept": "text/*"})
    first, second = (asked.lower() for asked in site.asked)
    assert "x-api-key: secret" in first
    assert ("x-api-key: secret" in second, "authorization: bearer s" in second) == (kept, kept)
    assert "accept: text/*" in second


def test_an_origin_is_scheme_host_and_port() -> None:
    assert same_origin("http://a.example/x", "http://A.example:80/y")
    for other in ("https://a.example/", "http://a.example:81/", "http://b.example/", "http://[/"):
        assert not same_origin("http://a.example/x", other)


async def test_every_redirect_is_checked_like_the_first(site: Site) -> None:
    site.page("/b", b"there")
    good = site.page("/a", status="302 Found", location="/b")
    assert (await open_fetcher().get(good)).url == f"{site.url}/b"
    bad = site.page("/c", status="302 Found", location="http://169.254.169.254/latest/meta-data")
    with pytest.raises(FetchFailed, match="not a public address"):
        await open_fetcher().get(bad)
    scheme = site.page("/d", status="307 Temporary Redirect", location="file:///etc/passwd")
    with pytest.raises(FetchFailed, match="begins with https://"):
        await open_fetcher().get(scheme)
    for broken in ("http://[x", "//[::1", "http://a]b/"):
        nowhere = site.page("/n", status="302 Found", location=broken)
        with pytest.raises(FetchFailed, match="redirects to what is no address"):
            await open_fetcher().get(nowhere)
    loop = site.page("/e", status="301 Moved", location="/e")
    with pytest.raises(FetchFailed, match="more than 5 redirects"):
        await open_fetcher().get(loop)


async def test_a_name_that_changes_its_mind_on_the_way_leads_nowhere(site: Site) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    site.page("/b", b"there")
    url = site.page("/a", status="302 Found", location="/b").replace("127.0.0.1", "fickle.example")
    with pytest.raises(FetchFailed, match="not a public address"):
        await open_fetcher(resolve=resolve).get(url)


async def test_no_more_is_read_than_is_allowed(site: Site) -> None:
    for url in (
        f"{site.url}/endless",
        site.page("/bomb", gzip.compress(b"0" * 5_000_000), content_encoding="gzip"),
    ):
        with pytest.raises(FetchFailed, match="larger than 1000000 bytes"):
            await open_fetcher(max_bytes=1_000_000).get(url)


async def test_what_comes_packed_is_unpacked(site: Site) -> None:
    url = site.page("/a", gzip.compress(b"words"), content_encoding="gzip")
    assert (await open_fetcher().get(url)).content == b"words"
    for encoding in ("br", "gzip"):
        url = site.page("/b", b"odd", content_encoding=encoding)
        with pytest.raises(FetchFailed, match=f"packed as {encoding}"):
            await open_fetcher().get(url)


async def test_a_silent_address_is_given_up(site: Site) -> None:
    with pytest.raises(FetchFailed, match="did not answer within"):
        await open_fetcher(seconds=0.1).get(f"{site.url}/silent")


async def test_a_redirected_post_is_no_success(site: Site) -> None:
    url = site.page("/hook", status="302 Found", location="/b")
    answer = await open_fetcher().post(url, b"{}", {"content-type": "application/json"})
    assert (answer.status, answer.ok, len(site.asked)) == (302, False, 1)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "javascript:1",
        "http://",
        "//127.0.0.1",
        "http://[::1",
        "",
        "http://127.0.0.1:99999/",
    ],
)
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument):
        await open_fetcher().get(url)


async def test_a_closed_door_and_an_unknown_name_say_so() -> None:
    with pytest.raises(FetchFailed, match="cannot be fetched"):
        await open_fetcher().get("http://127.0.0.1:1/")
    with pytest.raises(FetchFailed, match="cannot be fetched"):
        await Fetcher(OutboundSettings()).get("http://no-such-name.invalid/")


def test_errors_quote_no_secrets() -> None:
    assert shown("https://me:secret@host:81/a/b?token=secret#secret") == "https://host:81/a/b"
