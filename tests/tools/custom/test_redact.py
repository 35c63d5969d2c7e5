"""Secrets are found however they are written, and short values are left alone."""

import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.tools.custom.redact import MIN_CHARS, Redact, redacted

PEM = '-----BEGIN KEY-----\nab"c\\d\n-----END KEY-----'


@pytest.mark.parametrize(
    "spelled", [PEM, json.dumps(PEM)[1:-1], repr(PEM)[1:-1].replace('"', '\\"'), quote(PEM, safe="")]
)
def test_a_secret_is_found_as_it_is_and_as_json_and_urls_write_it(spelled):
    assert Redact({"PEM": PEM})(f"<{spelled}>") == "<[redacted PEM]>"


def test_the_longer_of_two_counts():
    redact = Redact({"SHORT": "abcdef", "LONG": "abcdefghij"})
    assert redact("abcdefghij abcdef") == "[redacted LONG] [redacted SHORT]"


def test_short_values_are_left_alone():
    assert Redact({"FLAG": "true", "EMPTY": "", "BLANK": "        "})("true     or not") == "true     or not"


def test_a_cut_text_does_not_end_with_the_beginning_of_one():
    redact = Redact({"KEY": "abcdefghijkl"})
    assert redact("so abcdefgh", cut=True) == "so [redacted KEY]"
    assert redact("so abcdefgh") == "so abcdefgh"
    assert redact("so abcde", cut=True) == "so abcde"


SECRET = st.text(min_size=MIN_CHARS, max_size=30).filter(lambda text: len(text.strip()) >= MIN_CHARS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@given(SECRET, JSON, st.text(max_size=9), st.text(max_size=9))
def test_no_value_keeps_it_anywhere(secret, value, before, after):
    said = {"a": [value, f"{before}{secret}{after}"], f"{before}{secret}": value}
    made = redacted(said, Redact({"X": secret}))
    texts = [made["a"][1], *made]
    assert all(secret.strip() not in text for text in texts if "[redacted X]" not in secret)


@given(JSON)
def test_without_secrets_a_value_stays_as_it_is(value):
    assert redacted(value, Redact({})) == value


def test_a_secret_that_almost_fits_everywhere_costs_little():
    redact = Redact({"A": "a" * 20_000 + '"b', "B": "redacted"})
    began = time.process_time()
    assert redact("a" * 200_000 + " redacted") == "a" * 200_000 + " [redacted B]"
    assert time.process_time() - began < 1
