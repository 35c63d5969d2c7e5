"""The outbound rules hold for HTTP clients of libraries, too."""

from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import httpx2
import pytest
from tests.kit.test_outbound import Site, site

from perdure.kit.guarded import GuardedTransport
from perdure.kit.outbound import Fetcher, FetchFailed, OutboundSettings

__all__ = ["site"]
LOOPBACK = ip_network("127.0.0.0/8")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(OutboundSettings(networks=[LOOPBACK], max_bytes=1000)) as made:
        yield made


def client_of(settings: OutboundSettings, **names: Sequence[str]) -> httpx2.AsyncClient:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if host in names:
            return names[host]
        if host == "gone":
            raise OSError("no such name")
        return [host]

    return httpx2.AsyncClient(transport=GuardedTransport(Fetcher(settings, resolve)), follow_redirects=True)


async def test_allowed_addresses_are_reached(client, site: Site):
    url = site.page("/a", b"hello")
    assert (await client.get(url)).text == "hello"
    assert (await client.get(url)).text == "hello"
    assert f"host: 127.0.0.1:{site.port}" in site.asked[0].lower()


async def test_a_name_keeps_its_host_header_and_goes_to_the_checked_address(site: Site):
    site.page("/a", b"hello")
    async with client_of(OutboundSettings(networks=[LOOPBACK]), box=["10.0.0.1", "127.0.0.1"]) as client:
        assert (await client.get(f"http://box:{site.port}/a")).text == "hello"
    assert f"host: box:{site.port}" in site.asked[0].lower()


async def test_an_address_that_may_be_our_own_server_is_told_for_whom_it_is_asked(client, site: Site):
    await client.get(site.page("/a", b"hello"))
    assert "\r\nx-perdure-job: 1\r\n" in site.asked[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://[::1]/", "http://10.1.2.3/", "ftp://x/"])
async def test_other_addresses_are_not(site: Site, url: str):
    async with client_of(OutboundSettings()) as client:
        with pytest.raises((FetchFailed, httpx2.UnsupportedProtocol)):
            await client.get(url.format(port=site.port))
    assert site.asked == []


async def test_redirects_are_checked_alike(client, site: Site):
    url = site.page("/a", status="302 Found", location="http://10.0.0.1/secret")
    with pytest.raises(FetchFailed, match=r"10\.0\.0\.1 is not a public address"):
        await client.get(url)


async def test_large_bodies_end(client, site: Site):
    with pytest.raises(FetchFailed, match="larger than 1000 bytes"):
        await client.get(f"{site.url}/endless")


async def test_a_name_there_is_not_is_told_as_a_lost_connection(client):
    with pytest.raises(httpx2.ConnectError, match="gone cannot be resolved"):
        await client.get("http://gone/")


async def test_refused_connections_are_tried_anew(client):
    for _ in range(2):
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:9/")
