"""Arguments as models write them."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.tools.arguments import check, read_arguments, stripped
from perdure.tools.base import ToolFailed

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "flag": {"type": "boolean"},
        "words": {"type": "array", "items": {"type": "string"}},
        "mode": {"type": "string", "enum": ["any", "all"]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
        "maybe": {"type": ["string", "null"]},
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "offset": {"type": "integer"}},
                "required": ["name"],
            },
        },
        "free": {},
    },
    "required": ["text"],
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
objects = st.dictionaries(st.text(), values, max_size=4)


@given(objects)
def test_any_object_is_read_as_it_is(value: dict[str, Any]) -> None:
    assert read_arguments(json.dumps(value)) == value


@given(objects, objects)
def test_of_several_objects_the_first_counts(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert read_arguments(json.dumps(first) + json.dumps(second)) == first


def test_nothing_and_null_are_no_arguments() -> None:
    assert read_arguments("") == read_arguments(" null ") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1', "line 1 column 8 (char 7)"),
        ("memory", "not valid JSON"),
        ("[1]", "must be a JSON object, not a list"),
        ('"x"', "not a string"),
        ('{"a": 1} and so on', "more after the object at char 8"),
    ],
)
def test_a_broken_text_is_told_what_and_where(text: str, words: str) -> None:
    with pytest.raises(ToolFailed, match="arguments") as raised:
        read_arguments(text)
    assert words in raised.value.detail


@given(st.text(alphabet='{}[]",:atrue1 \\'))
def test_any_text_is_read_or_refused_with_words(text: str) -> None:
    with suppress(ToolFailed):
        assert isinstance(read_arguments(text), dict)


def test_what_the_loop_adds_is_stripped_unless_the_tool_has_it() -> None:
    given = {"request_heartbeat": True, "thinking": "hm", "text": "x"}
    assert stripped(given, SCHEMA) == {"text": "x"}
    assert stripped(given, {"properties": {"thinking": {}}}) == {"thinking": "hm", "text": "x"}


@pytest.mark.parametrize(
    ("name", "sent", "taken"),
    [
        ("count", "3", 3),
        ("count", 3.0, 3),
        ("ratio", "0.5", 0.5),
        ("ratio", 2, 2),
        ("flag", "True", True),
        ("text", 5, "5"),
        ("words", '["a"]', ["a"]),
        ("words", [1], ["1"]),
        ("either", [1, "2"], [1, 2]),
        ("either", "4", 4),
        ("maybe", None, None),
        ("files", [{"name": "a", "offset": "1"}], [{"name": "a", "offset": 1}]),
        ("free", {"x": [None]}, {"x": [None]}),
        ("files", '[{"name": "a"}]', [{"name": "a"}]),
    ],
)
def test_values_that_lose_nothing_are_taken(name: str, sent: Any, taken: Any) -> None:
    made, faults = check(SCHEMA, {"text": "", name: sent})
    assert faults == []
    assert made[name] == taken
    assert type(made[name]) is type(taken)


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({}, "missing parameter 'text'"),
        ({"text": None}, "missing parameter 'text'"),
        ({"text": "", "textt": 1}, "unknown parameter 'textt' (parameters: text, count"),
        ({"text": "", "count": "three"}, "'count' must be a whole number, not a string (\"three\")"),
        ({"text": "", "count": 1.5}, "'count' must be a whole number, not a number (1.5)"),
        ({"text": "", "count": True}, "'count' must be a whole number, not a bool (true)"),
        ({"text": [1]}, "'text' must be a string, not a list ([1])"),
        ({"text": "", "words": "a"}, "'words' must be a list, not a string"),
        ({"text": "", "words": ["a", {}]}, "'words[1]' must be a string, not an object"),
        ({"text": "", "mode": "some"}, '\'mode\' must be one of ["any", "all"], not "some"'),
        ({"text": "", "either": "x"}, "'either' must be a whole number"),
        ({"text": "", "files": [{"offset": 1}]}, "files[0]: missing parameter 'name'"),
        ({"text": "", "words": [None]}, "'words[0]' must be a string, not null"),
        ({"text": "", "words": "[1"}, "'words' must be a list"),
        ({"text": "", "flag": "yes"}, "'flag' must be true or false"),
    ],
)
def test_every_fault_names_its_parameter(sent: dict[str, Any], fault: str) -> None:
    faults = check(SCHEMA, sent)[1]
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_a_null_leaves_the_default() -> None:
    assert check(SCHEMA, {"text": "", "count": None, "either": None}) == ({"text": ""}, [])
    assert check(SCHEMA, {"text": "", "free": None})[0]["free"] is None
    nullable = {"properties": {"x": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}
    assert check(nullable, {"x": None}) == ({"x": None}, [])


def test_a_schema_that_takes_more_takes_more() -> None:
    assert check({"additionalProperties": True}, {"x": 1}) == ({"x": 1}, [])
    texts = {"properties": {"t": {"type": "object", "additionalProperties": {"type": "string"}}}}
    assert check(texts, {"t": {"a": "x", "b": 1}}) == ({"t": {"a": "x", "b": "1"}}, [])
    assert check(texts, {"t": {"a": []}})[1] == ["t: 'a' must be a string, not a list ([])"]
    assert check({}, {"x": 1})[1] == ["unknown parameter 'x' (parameters: it takes none)"]


@given(objects)
def test_checking_never_fails_and_is_stable(sent: dict[str, Any]) -> None:
    made, faults = check(SCHEMA, sent, partial=True)
    if not faults:
        assert check(SCHEMA, made, partial=True) == (made, [])


def test_what_is_nested_too_deeply_is_refused_with_words() -> None:
    deep = "[" * 200_000
    assert check(SCHEMA, {"text": "", "words": deep})[1][0].startswith("'words' must be a list, not a string")
    with pytest.raises(ToolFailed, match="nested too deeply"):
        read_arguments('{"words": ' + deep)
