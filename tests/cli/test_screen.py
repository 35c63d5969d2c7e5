"""An agent's answer as a person reads it."""

import io

from rich.console import Console

from perdure.cli.screen import Answer, shortened, show_change, shown_arguments


def shown(*frames):
    console = Console(file=io.StringIO(), soft_wrap=True, highlight=False)
    answer = Answer(console, "Nova ›")
    answer.show(frames)
    return console.file.getvalue(), answer


def said(text):
    return {"message_type": "assistant_message", "content": text}


def called(id, **piece):
    return {"message_type": "tool_call_message", "tool_call": {"tool_call_id": id, **piece}}


def returned(text, status="success"):
    return {
        "message_type": "tool_return_message",
        "tool_return": text,
        "status": status,
        "tool_returns": None,
    }


def test_text_runs_on_one_line_as_it_comes():
    text, answer = shown(said("Hel"), said("lo\nAnn"), {"message_type": "stop_reason"})
    assert text == "Nova › Hello\nAnn\n"
    assert answer.said == "Hello\nAnn"
    assert answer.failed is None


def test_thoughts_stand_apart_from_what_is_said():
    text, answer = shown({"message_type": "reasoning_message", "reasoning": "hm"}, said("42"))
    assert text == "hm\nNova › 42\n"
    assert answer.said == "42"


def test_a_call_is_shown_once_it_is_whole_and_then_what_it_returned():
    pieces = [
        called("a", name="memory_insert"),
        called("a", arguments='{"label": "hu'),
        called("a", arguments='man"}'),
    ]
    text, _ = shown(said("I note it."), *pieces, returned("Name: Ann\n\nAge: 5"), said("Done."))
    assert text.splitlines() == [
        "Nova › I note it.",
        '⚙ memory_insert(label="human")',
        "  → Name: Ann · Age: 5",
        "Nova › Done.",
    ]


def test_calls_side_by_side_keep_apart():
    one, two = called("a", name="one", arguments="{}"), called("b", name="two", arguments="{}")
    many = {"message_type": "tool_return_message", "tool_returns": [returned("1"), returned("2", "error")]}
    text, _ = shown(one, two, many)
    assert text.splitlines() == ["⚙ one()", "⚙ two()", "  → 1", "  ✗ 2"]


def test_a_call_cut_off_is_still_shown():
    text, _ = shown(called("a", name="one", arguments='{"half'))
    assert text == '⚙ one({"half)\n'


def test_an_error_is_kept_for_the_caller():
    _, answer = shown(
        said("So"), {"message_type": "error_message", "message": "Broken", "detail": "The model is gone."}
    )
    assert answer.failed == "The model is gone."


def test_long_values_are_cut():
    assert shortened("x" * 20, 10) == "x" * 9 + "…"
    assert shown_arguments('{"text": "' + "x" * 200 + '"}').startswith('text="xxx')
    assert len(shown_arguments("x" * 500)) < 100
    assert shown_arguments("[1]") == "[1]"


def test_a_changed_block_shows_what_went_and_what_came():
    console = Console(file=io.StringIO())
    show_change(console, "human", "Name: Ann\nLives in: Oslo", "Name: Ann\nLives in: Lisbon")
    assert console.file.getvalue().splitlines() == [
        "human",
        "  Name: Ann",
        "- Lives in: Oslo",
        "+ Lives in: Lisbon",
    ]
