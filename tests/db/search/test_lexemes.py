"""Words are found in their other forms, names whole and in parts, in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.db.search.lexemes import LONGEST, lexemes, query_lexemes, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("studies", "studied"), ("studying", "study"), ("running", "runs"), ("making", "makes"),
        ("boxes", "box"),
        ("naïve", "naive"), ("Ångström", "angstrom"), ("STRASSE", "straße"), ("ﬁne", "fine"),
        ("ＡＢＣ", "abc"),
        ("Caroline's", "caroline"), ("don’t", "don't"), ("İstanbul", "istanbul"), ("Ёлка", "елка"),
        ("ΆΛΦΑ", "αλφα"),
        ("userName", "user_name"), ("user-name", "username"), ("2026-03-31", "2026/03/31"),
    ],
)  # fmt: skip
def test_spellings_of_a_word_share_a_lexeme(one, other):
    assert set(lexemes(one)) & set(lexemes(other)), (lexemes(one), lexemes(other))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("getHTTPName", ["get", "http", "nam", "gethttpnam"]),
        ("john.doe@example.com", ["john", "doe", "exampl", "com", "johndoeexamplecom"]),
        ("version 1.5", ["version", "1", "5", "1·5"]),
        ("x86_64", ["x86", "64", "x86·64"]),
        ("東京都", ["東", "京", "都", "東京", "京都"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("need seed bus this glass", ["need", "seed", "bus", "this", "glass"]),
        ("  … !? ", []),
    ],
)
def test_texts_become_lexemes(text, found):
    assert lexemes(text) == found


def test_a_query_of_common_words_alone_keeps_them():
    assert query_lexemes("what did the dogs do, dog?") == ["dog"]
    assert query_lexemes("to be or not to be") == ["to", "be", "or", "not"]


@given(st.text())
def test_lexemes_hold_nothing_that_an_engine_could_part(text):
    for lexeme in lexemes(text):
        assert lexeme
        assert len(lexeme) <= LONGEST * 4
        assert not any(letter.isspace() or letter in "\"'§" for letter in lexeme)
        assert all(letter.isalnum() for letter in lexeme if letter.isascii())


@given(st.lists(st.text(min_size=1)))
def test_texts_side_by_side_have_the_lexemes_of_both(texts):
    assert lexemes(" \n ".join(texts)) == [lexeme for text in texts for lexeme in lexemes(text)]


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", max_size=20))
def test_case_changes_nothing_in_plain_words(word):
    assert lexemes(word.upper()) == lexemes(word) == lexemes(word.capitalize())
    assert not word or stem(word)
