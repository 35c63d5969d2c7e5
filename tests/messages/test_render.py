"""Stored messages as wire messages."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Image, Part, Reasoning, Text, ToolCall, ToolReturn
from perdure.messages.render import render, render_all
from perdure.messages.spoken import MessageTool
from perdure.messages.store import MessageRow

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ID = "message-00000000-0000-4000-8000-0000000000ff"
parts = st.lists(
    st.sampled_from(
        [Reasoning("hm"), Reasoning("", "blob", redacted=True), Text("so"), ToolCall("c", "t", "{}")]
    ),
    max_size=8,
)


def row(role: str, *said: Part, **values: object) -> MessageRow:
    return MessageRow(ID, "org", "agent", "thread", role, said, NOW, **values)  # type: ignore[arg-type]


@given(parts)
def test_every_piece_has_an_otid_of_its_own(said: list[Part]) -> None:
    wire = render(row("assistant", *said))
    assert len({piece.otid for piece in wire}) == len(wire)
    assert {piece.id for piece in wire} <= {ID}


@given(parts)
def test_all_calls_are_one_message_at_the_end(said: list[Part]) -> None:
    wire = [piece.message_type for piece in render(row("assistant", *said))]
    calls = "tool_call_message"
    assert wire.count(calls) == (1 if any(isinstance(part, ToolCall) for part in said) else 0)
    assert calls not in wire[:-1]


def test_an_approval_request_shows_its_calls() -> None:
    (asked,) = render(row("approval", ToolCall("c", "rm", "{}")))
    assert asked.message_type == "approval_request_message"
    assert asked.tool_call.name == "rm"


def test_the_message_tool_speaks_and_its_return_is_hidden() -> None:
    tool = MessageTool()
    said = row("assistant", ToolCall("c", "send_message", '{"message": "Hi"}'))
    odd = row("assistant", ToolCall("c", "send_message", "[]"))
    returned = row("tool", ToolReturn("c", "send_message", "ok"))
    shown = render_all([said, odd, returned], message_tool=tool)
    assert [(m.message_type, m.content) for m in shown] == [
        ("assistant_message", "Hi"),
        ("assistant_message", "[]"),
    ]
    assert [m.message_type for m in render_all([said, returned])] == [
        "tool_call_message",
        "tool_return_message",
    ]


def test_summaries_system_messages_and_images_have_their_shapes() -> None:
    assert render(row("summary", Text("so far")))[0].summary == "so far"
    assert render(row("system", Text("be")))[0].content == "be"
    (user,) = render(row("user", Image(url="https://x/y.png"), Text("?"), otid="mine"))
    assert user.otid == "mine"
    assert [part.type for part in user.content] == ["image", "text"]
    assert user.content[0].source.url == "https://x/y.png"


def test_only_the_wanted_types_are_shown() -> None:
    said = row("assistant", Reasoning("hm"), Text("so"))
    assert [m.message_type for m in render_all([said], types=["assistant_message"])] == ["assistant_message"]
    assert render_all([said], types=[]) == []
