"""Blocks in a prompt."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.memory.mind import block_row

from perdure.memory.render import number_lines, render_blocks
from perdure.memory.store import BlockRow

HUMAN = block_row(value="Ada\nLikes tea", description="Who I talk with.")
blocks = st.lists(
    st.builds(
        replace,
        st.just(HUMAN),
        label=st.from_regex(r"[A-Za-z0-9_/-]{1,9}", fullmatch=True),
        value=st.text(),
        description=st.none() | st.text(),
        limit=st.integers(1, 10**6),
        read_only=st.booleans(),
        version=st.integers(),
    ),
    unique_by=lambda block: block.label,
    max_size=4,
)


def test_a_block_shows_label_description_metadata_and_value() -> None:
    text = render_blocks([replace(HUMAN, read_only=True)])
    assert text.startswith("<memory_blocks>\n")
    assert text.split("\n", 3)[2] == ""
    assert (
        "<human>\n<description>\nWho I talk with.\n</description>\n"
        "<metadata>\n- read_only=true\n- chars_current=13\n- chars_limit=100\n</metadata>\n"
        "<value>\nAda\nLikes tea\n</value>\n</human>\n</memory_blocks>"
    ) in text


def test_no_blocks_no_section() -> None:
    assert render_blocks([]) == ""


def test_writable_blocks_do_not_speak_of_read_only() -> None:
    assert "read_only" not in render_blocks([HUMAN])


def test_the_numbered_variant_warns_and_numbers_lines() -> None:
    text = render_blocks([HUMAN], numbered=True)
    assert "</metadata>\n<warning>\n" in text
    assert "<value>\n1→ Ada\n2→ Likes tea\n</value>" in text
    assert "chars_current=13" in text
    assert "<value>\n\n</value>" in render_blocks([replace(HUMAN, value="")], numbered=True)


@given(blocks)
def test_every_block_stands_once_whole_and_in_order(given: list[BlockRow]) -> None:
    text = render_blocks(given)
    at = 0
    for block in given:
        body = f"<value>\n{block.value}\n</value>\n</{block.label}>"
        assert f"- chars_current={len(block.value)}\n- chars_limit={block.limit}\n" in text
        at = text.index(body, text.index(f"<{block.label}>", at)) + len(body)
    assert text == render_blocks(given)


@given(blocks)
def test_what_is_not_shown_changes_nothing(given: list[BlockRow]) -> None:
    later = [replace(block, id="block-2", version=9, tags=["x"]) for block in given]
    assert render_blocks(given) == render_blocks(later)


@given(st.text(min_size=1))
def test_numbers_can_be_taken_off_again(value: str) -> None:
    numbered = number_lines(value).split("\n")
    assert "\n".join(line.split("→ ", 1)[1] for line in numbered) == value
    assert [line.split("→", 1)[0] for line in numbered] == [str(n) for n in range(1, len(numbered) + 1)]
