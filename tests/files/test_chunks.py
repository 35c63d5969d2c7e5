"""Texts are parted where their structure parts them, and nothing of them is lost."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.content.estimate import text_tokens
from perdure.files.chunks import Chunk, chunks
from perdure.files.schemas import MOST_CHUNK
from perdure.passages.store import MAX_TOKENS

SYNTAXES = ("markdown", "pages", "code", "rows", "json", "text")
HANDBOOK = """# Harbour

Ships enter by day only. The pilot comes aboard at the seventh buoy and stays until the ship is fast.

## Fees

"""
HANDBOOK += "\n\n".join(f"Paragraph {n} about fees and what they are for, at some length." for n in range(20))


def parted(text: str, syntax: str, size: int = 60) -> list[Chunk]:
    return list(chunks(text, syntax, size))


SHORT = ("", "# A", "## B", "- one", "[Page 2]", "def f():", "    return 1", "```", "a,b")
LINES = st.sampled_from([*SHORT, "word " * 30, "x" * 700, "Ünï 港。" * 40])


@given(st.lists(LINES, max_size=40).map("\n".join), st.sampled_from(SYNTAXES), st.integers(5, 200))
def test_every_line_is_in_one_passage_and_in_order(text, syntax, size):
    found = parted(text, syntax, size)
    assert "".join("".join(chunk.text for chunk in found).split()) == "".join(text.split())
    last, lines = 0, text.split("\n")
    for chunk in found:
        assert last <= chunk.first_line <= chunk.last_line <= len(lines)
        last = chunk.last_line
        assert chunk.text.split("\n")[0] in lines[chunk.first_line - 1]
        assert chunk.text.split("\n")[-1] in lines[chunk.last_line - 1]
        assert text_tokens(chunk.text) <= size * 1.5 + 2


def test_a_section_begins_a_passage_and_the_next_ones_stand_under_its_heading():
    found = parted(HANDBOOK, "markdown")
    assert found[0].text.startswith("# Harbour")
    fees = [chunk for chunk in found if "Paragraph" in chunk.text]
    assert fees[0].text.startswith("## Fees")
    assert fees[0].under == "Harbour"
    assert {chunk.under for chunk in fees[1:]} == {"Harbour > Fees"}
    assert all(not chunk.text.endswith("# Fees") for chunk in found)
    assert fees[1].whole.startswith("Harbour > Fees\n")


def test_a_page_of_a_pdf_begins_a_passage():
    found = parted("[Page 1]\nLow water\n\n[Page 2]\nHigh water\n\n[Page 3]\n" + "word " * 200, "pages")
    assert [chunk.text.split("\n")[0] for chunk in found[:3]] == ["[Page 1]", "[Page 2]", "[Page 3]"]
    assert "Low water" in found[0].text


def test_code_is_parted_between_functions():
    body = "    work(request, again=True)\n" * 6
    code = "\n\n\n".join(f"@route\ndef handler_{n}(request):\n{body}" for n in range(6))
    for chunk in parted(code, "code", 90):
        assert chunk.text.lstrip("\n").startswith("@route")


def test_rows_stand_under_the_header_of_their_table():
    table = "name,fee,remark\n" + "\n".join(f"ship {n},{n * 10},paid in full at the pier" for n in range(60))
    found = parted(table, "rows")
    assert len(found) > 3
    assert {chunk.under for chunk in found[1:]} == {"name,fee,remark"}
    assert found[0].under == ""
    assert not any(chunk.under for chunk in parted('{"a": 1}\n' * 100, "rows"))


def test_a_heading_inside_a_listing_is_none():
    text = "# Real\n\n```\n# comment\n```\n" + "\n\n".join(["some words of a paragraph " * 4] * 8)
    assert {chunk.under for chunk in parted(text, "markdown")[1:]} == {"Real"}


def test_a_line_too_long_is_parted_at_ends_of_sentences():
    found = parted("The tide turns at noon. " * 60, "text", 50)
    assert all(chunk.text.rstrip().endswith(".") for chunk in found)
    assert {(chunk.first_line, chunk.last_line) for chunk in found} == {(1, 1)}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_large_text_takes_time_in_proportion(syntax):
    rng = random.Random(1)
    text = "\n".join("x" * rng.choice((0, 3, 80, 400)) for _ in range(5_000))
    began = time.process_time()
    assert len(parted(text, syntax, 300)) > 300
    parted("y" * 300_000, syntax, 300)
    assert time.process_time() - began < 2


def test_a_heading_of_blanks_takes_no_time_by_the_square():
    began = time.process_time()
    parted("#" + " " * 100_000, "markdown")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_largest_passage_is_one_that_may_be_stored(syntax):
    dense = "# " + "word " * 900 + "\n" + ("漢" * 9000 + "word " * 30_000 + "\n") * 2
    assert all(text_tokens(chunk.whole) <= MAX_TOKENS for chunk in parted(dense, syntax, MOST_CHUNK))
