"""Deltas lead from any text to any other, and cost little where little changed."""

import random
import time

from hypothesis import example, given
from hypothesis import strategies as st

from perdure.memory.versions.delta import alike, applied, delta

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(TEXTS, TEXTS)
@example("", "")
@example("é", "è")  # which differ in the second of two bytes
@example("aaaa", "aa")
def test_a_delta_leads_from_one_text_to_the_other(before: str, after: str) -> None:
    assert applied(before, delta(before, after)) == after


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_change_in_the_middle_leads_there_too(head: str, old: str, new: str, tail: str) -> None:
    before, after = head + old + tail, head + new + tail
    assert applied(before, delta(before, after)) == after


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_alike_counts_what_both_begin_with(old: list[int], new: list[int]) -> None:
    count = alike(old, new)
    assert old[:count] == new[:count]
    assert old[count : count + 1] != new[count : count + 1] or count == len(old) == len(new)


def test_small_changes_of_long_texts_are_small_and_quick() -> None:
    chance = random.Random(7)
    words = ["tea", "Oslo", "Ada", "likes", "since", "May", "the", "of", "mountains", "nuts"]
    before = " ".join(chance.choice(words) for _ in range(20_000))[:100_000]
    after = before[:60_000] + " and Bergen" + before[60_100:]
    began = time.perf_counter()
    change = delta(before, after)
    assert len(change) < 60
    assert applied(before, change) == after
    assert time.perf_counter() - began < 0.05


def test_a_text_whose_parts_change_places_is_small_too() -> None:
    lines = [f"{number}: a line that says something about {number * 7919}" for number in range(400)]
    before, after = "\n".join(lines), "\n".join(lines[::-1])
    assert len(delta(before, after)) < len(after) / 4
