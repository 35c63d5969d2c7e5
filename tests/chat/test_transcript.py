"""What was said, as a text within a budget."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.chat.transcript import transcript
from perdure.content.estimate import text_tokens
from perdure.content.parts import Compaction, Image, Text, ToolCall
from perdure.messages.store import MessageRow

NOW = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)


def said(text: str, role: str = "user", thread: str = "agent-1", **values) -> MessageRow:
    return MessageRow("message-1", "org", "agent-1", thread, role, (Text(text),), NOW, **values)  # type: ignore[arg-type]


def test_it_tells_who_said_what_when_and_where():
    call = ToolCall("call-1", "send_message", '{"message": "Through a tool."}')
    spoken = MessageRow("message-1", "org", "agent-1", "agent-1", "assistant", (call,), NOW)
    rows = [said("I like tea"), said("Fine.", "assistant"), spoken, said("Hi", thread="conv-1", name="Bo")]
    assert transcript(rows, 1000).split("\n") == [
        "0. [2026-03-01 09:05 UTC] user: I like tea",
        "1. [2026-03-01 09:05 UTC] agent: Fine.",
        "2. [2026-03-01 09:05 UTC] agent: Through a tool.",
        "3. [2026-03-01 09:05 UTC in conv-1] Bo: Hi",
    ]


def test_what_has_no_words_and_summaries_are_no_part_of_it():
    summary = MessageRow("m", "o", "a", "a", "user", (Text("So far…"), Compaction("x", 1, 1, 1)), NOW)
    picture = MessageRow("m", "o", "a", "a", "user", (Image("image/png", b""),), NOW)
    assert transcript([summary, picture, said(" ")], 1000) == ""


def test_the_newest_are_kept_and_a_long_one_loses_its_middle():
    rows = [said(f"word {number} " + "x" * 200) for number in range(100)]
    told = transcript(rows, 500).split("\n")
    assert told[0] == f"[{100 - (len(told) - 1)} earlier messages are left out.]"
    assert "word 99 " in told[-1]
    long = transcript([said("begin " + "y" * 90_000 + " end")], 400)
    assert "begin yyy" in long
    assert "yyy […] yyy" in long
    assert long.endswith(" end")


@given(st.lists(st.text(max_size=400), max_size=20), st.integers(200, 2000))
def test_it_stays_within_its_budget(texts: list[str], budget: int):
    told = transcript([said(text) for text in texts], budget)
    lines = [line for line in told.split("\n") if not line.startswith("[")]
    assert sum(text_tokens(line) for line in lines) <= budget
