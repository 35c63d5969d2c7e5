"""Which hosts a grant holds, and how they are spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.sandbox.base import Network
from perdure.sandbox.egress.hosts import BadHost, Place, granted, normal, place, server_of


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:ffff:7f00:1", "::ffff:127.0.0.1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_dns.example.com", "_dns.example.com"),
    ],
)
def test_a_host_has_one_spelling(said: str, meant: str) -> None:
    assert normal(said) in (meant, "::ffff:7f00:1")


@pytest.mark.parametrize("said", ["", "a b", "a/b", "a@b", "a\r\nb", "a..b", "*", "x" * 300, "-a", "a\0b"])
def test_what_is_no_host_is_none(said: str) -> None:
    with pytest.raises(BadHost):
        normal(said)


@pytest.mark.parametrize(
    ("host", "patterns", "held"),
    [
        ("api.example.com", ["api.example.com"], True),
        ("api.example.com", ["API.example.com."], True),
        ("api.example.com", ["*.example.com"], True),
        ("a.b.example.com", ["*.example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("badexample.com", ["*.example.com"], False),
        ("example.com.evil.org", ["example.com", "*.example.com"], False),
        ("anything.org", ["*"], True),
        ("anything.org", [], False),
        ("1.1.1.1", ["1.1.1.1"], True),
        ("1.1.1.1", ["*.1.1.1"], False),
        ("10.example.com", ["not a host", "10.example.com"], True),
    ],
)
def test_a_grant_holds_names_and_what_is_below_them(host: str, patterns: list[str], held: bool) -> None:
    assert granted(host, patterns) is held


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("example.com:8443", Place("example.com", 8443)),
        ("example.com", Place("example.com", 443)),
        ("[::1]:80", Place("::1", 80)),
    ],
)
def test_a_place_is_a_host_and_a_port(said: str, meant: Place) -> None:
    assert place(said, "https") == meant


@pytest.mark.parametrize("said", ["", ":443", "a:b", "a:99999", "u:p@host:1", "a/b:1", "a?b:1", "a#b"])
def test_what_is_no_place_is_none(said: str) -> None:
    with pytest.raises(BadHost):
        place(said, "https")


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    try:
        found = place(text, "http")
    except BadHost:
        return
    assert normal(found.host) == found.host


def test_our_own_server_is_a_place() -> None:
    assert server_of(Network(server="http://127.0.0.1:8283/v1")) == Place("127.0.0.1", 8283)
    assert server_of(Network(server="https://perdure.example")) == Place("perdure.example", 443)
    assert server_of(Network()) is None
