"""How memory blocks stand in a prompt. Pure: the same blocks give the same text."""

from collections.abc import Iterator, Sequence

from perdure.memory.store import BlockRow

INTRO = "These are your memory blocks. They are always in view, and what you write into them stays with you."
NUMBERED = (
    "The line numbers and arrows before the lines of a value are there to point at lines. "
    "They are no part of the value: never write them into a block."
)


def render_blocks(blocks: Sequence[BlockRow], *, numbered: bool = False) -> str:
    """The `<memory_blocks>` section, blocks in the given order; empty without blocks."""
    if not blocks:
        return ""
    rendered = "\n\n".join("\n".join(_block(block, numbered)) for block in blocks)
    return f"<memory_blocks>\n{INTRO}\n\n{rendered}\n</memory_blocks>"


def _block(block: BlockRow, numbered: bool) -> Iterator[str]:
    yield f"<{block.label}>"
    yield f"<description>\n{block.description or ''}\n</description>"
    yield "<metadata>"
    if block.read_only:
        yield "- read_only=true"
    yield f"- chars_current={len(block.value)}"
    yield f"- chars_limit={block.limit}"
    yield "</metadata>"
    if numbered:
        yield f"<warning>\n{NUMBERED}\n</warning>"
    yield f"<value>\n{number_lines(block.value) if numbered else block.value}\n</value>"
    yield f"</{block.label}>"


def number_lines(value: str) -> str:
    """Each line with its number, from 1; an empty value has no lines."""
    if not value:
        return ""
    return "\n".join(f"{number}→ {line}" for number, line in enumerate(value.split("\n"), 1))
