"""Edits of a text: examples, and what holds for any text."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perdure.memory.edits import append_line, check_unnumbered, insert_lines, replace_all, replace_once
from perdure.tools.base import ToolFailed

lines = st.lists(st.text(alphabet="ab \t", min_size=1), min_size=1, max_size=5)
texts = st.text(alphabet="ab\n", max_size=20)


@given(lines, st.data())
def test_an_inserted_line_is_the_only_change(old: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(old)))
    assert insert_lines("\n".join(old), "new", at).split("\n") == [*old[:at], "new", *old[at:]]


@given(lines)
def test_minus_one_is_the_end(old: list[str]) -> None:
    assert insert_lines("\n".join(old), "new").split("\n") == [*old, "new"]
    assert insert_lines("\n".join(old) + "\n", "new") == "\n".join([*old, "new"]) + "\n"


def test_a_text_goes_into_an_empty_block_without_an_empty_line() -> None:
    assert insert_lines("", "new") == insert_lines("", "new", 0) == "new"
    assert append_line("", "new") == "new"
    assert append_line("old", "new") == "old\nnew"


@pytest.mark.parametrize("line", [-2, 3, 99])
def test_a_line_outside_is_told_the_range(line: int) -> None:
    with pytest.raises(ToolFailed, match="which has 2 lines"):
        insert_lines("a\nb", "new", line)


@given(texts, texts.filter(bool), texts)
def test_replacing_once_changes_the_one_place(value: str, old: str, new: str) -> None:
    assume("ab" not in value)
    assert replace_once(value + "X" + old, "X" + old, new) == value + new


def test_a_text_that_stands_several_times_is_told_with_its_lines() -> None:
    with pytest.raises(ToolFailed, match="3 times in the block, on lines 1, 3, 3"):
        replace_once("tea\nwater\ntea tea", "tea", "coffee")
    with pytest.raises(ToolFailed, match="2 times"):
        replace_once("aaa", "aa", "b")


@pytest.mark.parametrize("replace", [replace_once, replace_all])
def test_a_text_that_does_not_stand_there_is_told(replace) -> None:
    with pytest.raises(ToolFailed, match="does not stand in the block: 'milk'"):
        replace("tea", "milk", "")
    with pytest.raises(ToolFailed, match="empty"):
        replace("tea", "", "x")


def test_replace_all_replaces_all() -> None:
    assert replace_all("tea tea", "tea", "x") == "x x"


@pytest.mark.parametrize("text", ["1→ a", "a\n  12→b", "\t3→"])
def test_line_numbers_are_refused(text: str) -> None:
    with pytest.raises(ToolFailed, match="new_string has line numbers"):
        check_unnumbered(old_string="a", new_string=text)


@pytest.mark.parametrize("text", ["", "1 → 2", "a 1→2", "→"])
def test_other_arrows_pass(text: str) -> None:
    check_unnumbered(text=text)
