"""What summarisers are shown, and the summaries made without them."""

from hypothesis import given
from hypothesis import strategies as st
from tests.loop.compaction.test_cut import histories, row

from perdure.content.estimate import text_tokens
from perdure.content.parts import Image, Text, ToolCall, ToolReturn
from perdure.loop.compaction.words import fitted, instructions, mechanical, pieces, transcript
from perdure.messages.store import MessageRow


def test_a_transcript_tells_who_said_and_did_what() -> None:
    rows = [
        row("summary", Text("Ann likes tea.")),
        row("user", Text("Look: "), Image("image/png", "aGVsbG8=")),
        row("assistant", Text("One moment."), ToolCall("c", "look_up", '{"what": "tea"}')),
        row("tool", ToolReturn("c", "look_up", "x" * 10_000, "error")),
    ]
    text = transcript(rows, "UTC")
    assert "[earlier summary]\nAnn likes tea." in text
    assert "user: Look:  [an image]" in text
    assert 'assistant: One moment. [calls look_up {"what": "tea"}]' in text
    assert "[look_up returned (error): xxx" in text
    assert len(text) < 4000


@given(st.text(alphabet=st.sampled_from("ab c\n我"), max_size=600), st.integers(5, 80))
def test_pieces_are_small_enough_and_make_the_whole(text: str, tokens: int) -> None:
    made = pieces(text, tokens)
    assert "".join(made) == text
    assert all(text_tokens(piece) <= tokens for piece in made)


@given(histories, st.integers(60, 2000))
def test_a_makeshift_summary_fits_and_says_what_it_is(rows: list[MessageRow], tokens: int) -> None:
    text = mechanical(rows, tokens, "out of order")
    assert text_tokens(text) <= tokens
    assert text.startswith("No summary could be written (out of order).")


def test_a_makeshift_summary_keeps_the_earlier_one_and_the_latest_words() -> None:
    rows = [row("summary", Text("Ann likes tea.")), *(row("user", Text(f"word {n}")) for n in range(100))]
    text = mechanical(rows, 300, "x")
    assert "Earlier summary: Ann likes tea." in text
    assert text.endswith("- word 99")
    assert "- word 1\n" not in text


def test_a_summary_is_no_longer_than_it_may_be() -> None:
    assert fitted(" so \n", 100, None) == "so"
    assert fitted("x" * 100, 1000, 10) == "x" * 9 + "…"
    assert fitted("x" * 100, 1000, 0) == ""
    assert text_tokens(fitted("x" * 10_000, 100, 50_000)) <= 100


def test_the_stock_prompt_depends_on_the_mode_and_gives_way_to_ones_own() -> None:
    window, whole = instructions("sliding_window", None, 100), instructions("all", None, 100)
    assert window != whole
    assert "about 100 words" in window
    assert instructions("all", "Write a poem.", 50).startswith("Write a poem.")
