"""A model's events become the parts of one answer."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Reasoning, Text, ToolCall
from perdure.kit.text import storable
from perdure.loop.answer import AnswerBuilder
from perdure.providers.base import (
    Finish,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)


def built(*events: ModelEvent) -> AnswerBuilder:
    builder = AnswerBuilder("vendor")
    for event in events:
        builder.add(event)
    return builder


@given(st.lists(st.text(), max_size=20))
def test_text_in_any_pieces_is_one_part(pieces: list[str]) -> None:
    answer = built(*(TextDelta(piece) for piece in pieces)).answer()
    whole = storable("".join(pieces))
    assert answer.parts == ((Text(whole),) if whole.strip() else ())


def test_parallel_calls_keep_their_own_arguments() -> None:
    answer = built(
        ToolCallStart(0, "a", "one"),
        ToolCallStart(1, "b", "two"),
        ToolCallDelta(1, '{"y"'),
        ToolCallDelta(0, '{"x": 1}'),
        ToolCallDelta(1, ": 2}"),
        Finish("tool_calls", Usage(1, 2)),
    ).answer()
    assert answer.parts == (ToolCall("a", "one", '{"x": 1}'), ToolCall("b", "two", '{"y": 2}'))
    assert (answer.finish, answer.usage) == ("tool_calls", Usage(1, 2))


def test_reasoning_keeps_its_signature_and_who_made_it() -> None:
    answer = built(
        ReasoningDelta("let me "),
        ReasoningDelta("see"),
        ReasoningDelta(signature="sig"),
        ReasoningDelta(signature="blob", redacted=True, index=1),
        TextDelta("42"),
    ).answer()
    assert answer.parts == (
        Reasoning("let me see", "sig", vendor="vendor"),
        Reasoning("", "blob", redacted=True, vendor="vendor"),
        Text("42"),
    )


def test_what_broke_off_keeps_its_words_and_no_half_made_call() -> None:
    builder = built(
        ReasoningDelta("hm"), TextDelta("I will"), ToolCallStart(0, "a", "one"), ToolCallDelta(0, '{"x')
    )
    assert builder.partial() == (Text("I will"),)


def test_a_call_without_an_id_gets_one() -> None:
    (call,) = built(ToolCallStart(0, "", "one")).answer().parts
    assert isinstance(call, ToolCall)
    assert call.id.startswith("call-")


def test_without_parallel_calls_only_the_first_is_kept() -> None:
    builder = AnswerBuilder("vendor", parallel=False)
    events = [
        TextDelta("so"),
        ToolCallStart(0, "a", "one"),
        ToolCallDelta(0, "{}"),
        ToolCallStart(1, "b", "two"),
        ToolCallDelta(1, "{}"),
    ]
    assert [builder.add(event) for event in events] == [*events[:3], None, None]
    assert builder.answer().parts == (Text("so"), ToolCall("a", "one", "{}"))


def test_calls_of_one_id_are_told_apart() -> None:
    first, second = built(ToolCallStart(0, "a", "one"), ToolCallStart(1, "a", "one")).answer().parts
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id == "a"
    assert second.id.startswith("call-")


def test_what_is_streamed_can_be_spelled() -> None:
    assert AnswerBuilder("vendor").add(TextDelta("a\ud800\x00b")) == TextDelta("ab")
