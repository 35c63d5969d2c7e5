"""Tokens of texts as BERT has them; the numbers are those of the model's own tokenizer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.embeddings.offline.wordpiece import WordPiece, words

PIECES = WordPiece.load()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Hello, world!", [7592, 1010, 2088, 999]),
        ("unaffable embeddings", [14477, 20961, 3468, 7861, 8270, 4667, 2015]),
        ("Füße ÄÖ naïve café", [11865, 17499, 20118, 15743, 7668]),
        ("don't snake_case", [2123, 1005, 1056, 7488, 1035, 2553]),
        ("日本語", [1864, 1876, 1950]),
        ("nice😀 ok", [100, 7929]),
        ("", []),
    ],
)
def test_tokens_are_those_of_the_models_own_tokenizer(text, numbers):
    assert PIECES.tokens(text) == numbers


def test_signs_and_accents():
    assert list(words("Don't “stop” – É!")) == ["don", "'", "t", "“", "stop", "”", "–", "e", "!"]
    assert list(words("a_b")) == ["a", "_", "b"]
    assert list(words("x" * 3 + "\x00\u200b y")) == ["xxx", "y"]


@given(st.text(max_size=200))
def test_any_text_has_tokens(text):
    tokens = PIECES.tokens(text)
    assert all(0 <= number < 30522 for number in tokens)
    assert len(tokens) <= 2 * len(text)
