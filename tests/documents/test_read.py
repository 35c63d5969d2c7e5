"""Files of strangers as text: pages as markdown, PDFs, text in any character set, and what is hostile."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.documents.charset import decoded
from perdure.documents.read import Documents, Unreadable, kind_of

PAGES = Path(__file__).with_name("pages")
CORPUS = PAGES.with_name("corpus")


async def read(content: bytes | str, media_type: str = "text/html", charset: str = "", base_url: str = ""):
    content = content.encode() if isinstance(content, str) else content
    return await Documents().read(content, media_type, charset, base_url)


@pytest.mark.parametrize(
    ("page", "kept", "left_out"),
    [
        (
            "article",
            [
                "# Why harbours freeze",
                "**edges inward**",
                "[salt](https://example.org/wiki/salt)",
                "about −1.8 °C",
                "1. Keep 200 m apart.",
                "> Ice is patient",
                "| Luleå | 172 |",
                "## What ships do",
            ],
            ["cookies", "Sign in", "Ten soups", "All rights", "script text", "color:red"],
        ),
        (
            "docs",
            [
                "# connect()\n",
                '```\nimport anchor\n\ndb = anchor.connect("harbour.db", timeout=5)\nfor row',
                "| `E1` | No such file |",
                "`connect(path, *, timeout=5)`",
            ],
            ["Contents", "¶"],
        ),
        (
            "forum",
            ["# How do I splice a rope?", "three-strand nylon", "*five* tucks", "tuck(1)\ntuck(2)", "Melt"],
            ["Tags"],
        ),
        ("list", ["[Storm lantern](https://example.org/p/1)", "€ 24.50", "Visible for 3 miles"], ["Cart"]),
        ("old", ["Tides of Brest", "High water is at 04:12", "springs"], []),
    ],
)
async def test_a_page_is_read_without_what_stands_around_its_text(page, kept, left_out):
    html = (PAGES / f"{page}.html").read_bytes()
    text = (await read(html, base_url="https://example.org/news/1")).text
    for piece in kept:
        assert piece in text
    for piece in left_out:
        assert piece not in text


async def test_a_page_tells_of_itself():
    page = await read((PAGES / "article.html").read_bytes())
    assert (page.title, page.author) == ("Why harbours freeze | The Coast Paper", "Mina Holt")
    assert page.published == "2026-02-11T08:00:00Z"
    assert page.text.startswith("# Why")
    page = await read("<title>a\nb</title><meta name=date content=2026-01-01><p>c")
    assert (page.title, page.published, page.author) == ("a b", "2026-01-01", None)


async def test_what_a_page_does_not_show_is_not_read():
    """Hidden text speaks to machines only."""
    html = "<p>Hello</p><p hidden>obey</p><p style='display:none'>me</p><template>now</template>"
    assert (await read(html)).text == "Hello"


async def test_pictures_in_the_page_itself_are_their_words():
    page = await read('<p>a <img src="data:image/png;base64,AAAA" alt="chart"></p>')
    assert "chart" in page.text
    assert "AAAA" not in page.text


async def test_a_line_across_the_top_is_not_taken_for_a_header():
    assert (await read("<hr><p>a</p><hr><p>b</p>")).text == "---\n\na\n\n---\n\nb"


async def test_other_texts_are_read_as_they_are():
    assert (await read('{"a": 1}', "application/json")).text == '{"a": 1}'
    assert (await read("<a><b/></a>", "application/rss+xml")).text == "<a><b/></a>"
    assert (await read("# x\n", "text/markdown")).text == "# x\n"
    assert (await read("plain", "")).text == "plain"
    assert "Tides" in (await read((PAGES / "old.html").read_bytes(), "")).text


async def test_a_pdf_is_read_page_by_page():
    read_back = await read((CORPUS / "fpdf2.pdf").read_bytes(), "application/octet-stream")
    assert read_back.text.startswith("[Page 1]\nHarbour handbook\n")
    assert read_back.text.endswith("[Page 2]\nWinter rules\nReport ice thicker than 12 cm.")
    assert (read_back.title, read_back.author) == ("Harbour handbook", "Mina Holt")


@pytest.mark.parametrize(
    ("content", "media_type", "why"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png", "It is no text"),
        (b"\0\1\2", "", "It is no text"),
        (b"%PDF-1.7 nonsense", "application/pdf", "could not be read"),
        (b"x" * 10_000_001, "text/html", "too large"),
    ],
)
async def test_what_cannot_be_read_is_said_so(content, media_type, why):
    with pytest.raises(Unreadable, match=why):
        await read(content, media_type)


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td>" * 5000,
        "<ul><li>" * 20_000,
        "<b>" * 100_000,
        "<!--" * 100_000,
        "<table><tr><td colspan=1000000000>x</td></tr></table>",
        "<p>a\0b</p>",
        "",
    ],
)
async def test_hostile_pages_are_read_or_refused(html):
    with contextlib.suppress(Unreadable):
        await read(html)


async def test_a_page_that_takes_too_long_is_given_up():
    """The time a parser takes can grow with the square of a page's attributes."""
    html = "<p " + " ".join(f"a{i}=1" for i in range(300_000)) + ">x"
    began = time.monotonic()
    with pytest.raises(Unreadable, match="could not be read within"):
        await Documents(seconds=0.5).read(html.encode(), "text/html")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("Åse".encode("latin-1"), "", "Åse"),
        ("Åse".encode("latin-1"), "utf-8", "�se"),
        ("“x”".encode("windows-1252"), "iso-8859-1", "“x”"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("é".encode("utf-16"), "", "é"),
        (b"\xef\xbb\xbfx", "latin-1", "x"),
        (b'<meta charset="windows-1251">' + "Мир".encode("windows-1251"), "", "Мир"),
        ("é".encode(), "no-such-charset", "é"),
        ("é".encode(), "hex", "é"),
    ],
)
def test_character_sets(content, charset, text):
    assert decoded(content, charset, is_html=True).endswith(text)


@given(
    st.binary(max_size=200), st.sampled_from(["", "utf-8", "hex", "utf-7", "idna", "undefined", "\0", "é"])
)
def test_any_bytes_are_some_text(content, charset):
    assert isinstance(decoded(content, charset, is_html=True), str)
    kind_of(content, "")


def test_a_page_that_begins_with_many_comments_is_told_from_text_at_once():
    began = time.process_time()
    assert kind_of(b"<!--a-->" * 250 + b"<x", "") == "text"
    assert kind_of(b"<!-- a\n -->\n" * 100 + b"<html>", "") == "html"
    assert time.process_time() - began < 1


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "unicode_escape", "raw_unicode_escape", "idna"])
def test_what_is_no_charset_of_pages_is_not_decoded_by(charset: str) -> None:
    assert decoded(b"a+2AA-\\ud800", charset) == "a+2AA-\\ud800"
