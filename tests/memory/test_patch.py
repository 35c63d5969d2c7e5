"""Patches: read and applied."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.memory.patch import added_value, patched, read_patch
from perdure.tools.base import ToolFailed


def applied(value: str, patch: str) -> str:
    operations, several = read_patch("human", patch)
    assert not several
    return patched(value, operations[0].lines)


@given(st.lists(st.integers(0, 50), unique=True), st.lists(st.integers(51, 99), unique=True), st.data())
def test_a_unified_diff_of_distinct_lines_gives_the_new_text(old, new, data) -> None:
    before = [str(number) for number in old]
    after = [line for line in before if data.draw(st.booleans())]
    for number in new:
        after.insert(data.draw(st.integers(0, len(after))), str(number))
    diff = list(difflib.unified_diff(before, after, "old", "new", lineterm="", n=len(before) + 1))
    if diff:
        assert applied("\n".join(before), "\n".join(diff)) == "\n".join(after)


def test_hunks_find_their_places_by_their_lines() -> None:
    value = "Name: Ada\nLikes tea\nLives in Oslo"
    patch = "@@\n Name: Ada\n-Likes tea\n+Likes coffee\n@@\n-Lives in Oslo\n+Lives in Bergen\n+Has a cat"
    assert applied(value, patch) == "Name: Ada\nLikes coffee\nLives in Bergen\nHas a cat"


def test_lines_that_are_only_added_go_to_the_end() -> None:
    assert applied("a", "+b") == "a\nb"
    assert applied("", "@@\n+b\n") == "b"


def test_empty_lines_are_lines_to_find() -> None:
    assert applied("a\n\nb", " a\n\n-b\n+c") == "a\n\nc"


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ("-c\n+d", "do not stand in the block one after the other: 'c'"),
        ("-a\n+d", "fits several places, at lines 1, 3"),
        ("Likes tea", "changes nothing"),
        ("-a\nb", "'b' does not"),
        ("+1→ x", "line numbers"),
        ("@@\n a", "changes nothing"),
        ("", "changes nothing"),
    ],
)
def test_a_patch_that_cannot_be_applied_says_why(patch: str, words: str) -> None:
    with pytest.raises(ToolFailed) as raised:
        applied("a\nb\na", patch)
    assert words in raised.value.detail


def test_headers_make_several_operations() -> None:
    operations, several = read_patch(
        "",
        "*** Begin Patch\n"
        "*** Add Block: travel\n+Oslo\n+Bergen\n\n"
        "*** Update Block: human\n*** Move to: person\n@@\n-a\n+b\n"
        "*** Delete Block: scratch\n"
        "*** End Patch",
    )
    assert several
    assert [(one.kind, one.label, one.move_to) for one in operations] == [
        ("Add", "travel", None),
        ("Update", "human", "person"),
        ("Delete", "scratch", None),
    ]
    assert added_value(operations[0]) == "Oslo\nBergen"
    assert patched("a", operations[1].lines) == "b"


def test_text_before_the_first_header_or_without_a_plus_is_refused() -> None:
    with pytest.raises(ToolFailed, match="before its first header: 'hello'"):
        read_patch("", "hello\n*** Delete Block: a")
    operations, _ = read_patch("", " \n*** Add Block: a\nOslo")
    with pytest.raises(ToolFailed, match="'Oslo'"):
        added_value(operations[0])
    operations, _ = read_patch("", "*** Add Block: a\n+1→ Oslo")
    with pytest.raises(ToolFailed, match="line numbers"):
        added_value(operations[0])
