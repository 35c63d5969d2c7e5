"""Estimates of tokens: never far off, never the whole of a picture's data, and fast."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.content.estimate import cut_to_tokens, message_tokens, text_tokens
from perdure.content.parts import Approval, Compaction, Image, Message, Reasoning, Text, ToolCall, ToolReturn

PART = st.one_of(
    st.builds(Text, st.text()),
    st.builds(ToolCall, st.just("c"), st.text(), st.text()),
    st.builds(ToolReturn, st.just("c"), st.text(), st.text()),
    st.builds(Reasoning, st.text()),
    st.just(Image("image/png", "aGVsbG8=" * 100_000)),
    st.just(Approval("c", True)),
    st.just(Compaction("x", 1, 2, 3)),
)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 20, 180, 240),  # 200 in cl100k
        ("我喜欢在早上喝一杯热茶,然后去公园散步。" * 20, 300, 700),  # 20 characters, 25 tokens each
        ("Сегодня хорошая погода, и мы пойдём гулять. " * 20, 240, 700),
        ("", 0, 0),
    ],
)
def test_texts_of_several_scripts(text: str, least: int, most: int) -> None:
    assert least <= text_tokens(text) <= most


@given(st.text(), st.text())
def test_more_text_is_never_less(one: str, other: str) -> None:
    assert text_tokens(one) <= text_tokens(one + other) <= text_tokens(one) + text_tokens(other) + 1


@given(st.lists(PART, max_size=5), PART)
def test_a_message_grows_with_its_parts_and_pictures_count_as_pictures(parts: list, part) -> None:
    before = message_tokens(Message("user", tuple(parts)))
    after = message_tokens(Message("user", (*parts, part)))
    assert after >= before
    if isinstance(part, Image):
        assert after - before < 2000


@example("\x80\x80\x80𐀀00ࠀ", 4)
@given(st.text(), st.integers(0, 50))
def test_a_cut_text_is_small_enough_and_its_own_beginning(text: str, tokens: int) -> None:
    kept = cut_to_tokens(text, tokens)
    assert text_tokens(kept) <= max(tokens, 0)
    assert kept == text or text.startswith(kept.removesuffix("…"))
    if text_tokens(text) <= tokens:
        assert kept == text
