"""Differences lead from one text to the other, and take little time whatever the texts are."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from perdure.memory.history.diff import parts, unified

LINES = st.lists(st.sampled_from(["tea", "Oslo", "", "Ada", "-", "+"]), max_size=30).map("\n".join)


@given(LINES, LINES)
def test_the_parts_lead_from_one_text_to_the_other(before: str, after: str) -> None:
    text = before.split("\n")
    for part in reversed(parts(before, after)):
        place = slice(part.old_line - 1, part.old_line - 1 + len(part.old))
        assert tuple(text[place]) == part.old
        text[place] = part.new
    assert text == after.split("\n")


@given(LINES, LINES)
def test_the_unified_text_leads_there_too(before: str, after: str) -> None:
    patch = unified(before, after, "old", "new").split("\n")[2:]
    old, made, at = before.split("\n"), list[str](), 0
    for line in patch:
        if line.startswith("@@ -"):
            start, _, count = line[4:].split(" ")[0].partition(",")
            place = int(start) if count == "0" else int(start) - 1
            made += old[at:place]
            at = place
        elif line[0] == "+":
            made.append(line[1:])
        else:
            assert old[at] == line[1:]
            at += 1
            made += [line[1:]] if line[0] == " " else []
    assert [*made, *old[at:]] == after.split("\n")


def test_it_is_written_as_patches_are() -> None:
    said = unified("Name: Ada\nLikes tea\n", "Name: Ada\nLikes coffee\n", "version 1", "version 2")
    assert said.split("\n") == [
        "--- version 1",
        "+++ version 2",
        "@@ -1,3 +1,3 @@",
        " Name: Ada",
        "-Likes tea",
        "+Likes coffee",
        " ",
    ]
    assert unified("same", "same", "a", "b") == ""


def test_texts_made_to_take_long_take_little() -> None:
    chance = random.Random(1)
    before, after = ("\n".join(chance.choice("ab") for _ in range(50_000)) for _ in range(2))
    short = ["\n".join(chance.choice("ab") for _ in range(180)) for _ in range(2)]
    began = time.perf_counter()
    assert len(parts(before, after)) == 1
    parts(*short)
    assert time.perf_counter() - began < 1
