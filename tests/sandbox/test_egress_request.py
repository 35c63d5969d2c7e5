"""What a client's request to the proxy means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.sandbox.egress.hosts import Place
from perdure.sandbox.egress.request import BadRequest, read_head


def test_a_tunnel_names_a_place() -> None:
    asked = read_head(b"CONNECT Example.com:443 HTTP/1.1\r\nHost: other\r\n\r\n")
    assert asked.to == Place("example.com", 443)
    assert asked.tunnel


def test_a_whole_url_becomes_what_its_host_expects() -> None:
    asked = read_head(
        b"POST http://user:word@example.com:80/a%20b?c=d#e HTTP/1.1\r\nHost: evil.example\r\n"
        b"Proxy-Authorization: x\r\nContent-Length: 3\r\nConnection: keep-alive\r\nX-Mine: 1\r\n\r\n"
    )
    assert asked.to == Place("example.com", 80)
    assert asked.head == (
        b"POST /a%20b?c=d HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\nX-Mine: 1\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_a_url_without_a_path_asks_for_the_root() -> None:
    assert read_head(b"GET http://example.com?q=1 HTTP/1.1\r\n\r\n").head.startswith(
        b"GET /?q=1 HTTP/1.1\r\n"
    )
    assert b"Host: example.com:81\r\n" in read_head(b"GET http://example.com:81 HTTP/1.1\r\n\r\n").head


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET / HTTP/1.1",
        b"GET https://example.com/ HTTP/1.1",
        b"GET ftp://example.com/ HTTP/1.1",
        b"GET  http://example.com/ HTTP/1.1",
        b"GET http://example.com/ HTTP/2",
        b"CONNECT example.com:99999 HTTP/1.1",
        b"CONNECT exa\xffmple.com:1 HTTP/1.1",
        b"G T http://example.com/ HTTP/1.1",
        b"GET http://example.com/ HTTP/1.1\r\nno header",
        b"GET http://example.com/ HTTP/1.1\r\nA: b\nHost: c",
        b"GET http://example.com/ HTTP/1.1\r\n folded: b",
        b"GET http://[::1/ HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_what_a_proxy_cannot_do_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        read_head(head + b"\r\n\r\n")


@given(st.binary(max_size=80) | st.text(max_size=60).map(lambda url: f"GET {url} HTTP/1.1".encode()))
def test_any_bytes_are_read_or_refused(head: bytes) -> None:
    try:
        asked = read_head(head + b"\r\n\r\n")
    except BadRequest:
        return
    assert asked.tunnel or asked.head.count(b"\r\nHost: ") == 1
