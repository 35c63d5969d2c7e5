"""What was said, as a text for whoever looks after an agent's memory. Pure, and bounded in tokens."""

from collections.abc import Sequence

from perdure.content.estimate import text_tokens
from perdure.content.parts import Compaction
from perdure.messages.spoken import searchable
from perdure.messages.store import MessageRow

MOST_OF_ONE = 4  # no message takes more than this part of the budget
CHARS = 3  # of a token, at the least: cutting by it never leaves too much
OF_A_NUMBER = 2  # tokens
SPEAKERS = {"user": "user", "assistant": "agent"}


def transcript(rows: Sequence[MessageRow], budget: int) -> str:
    """The messages, one to a line and numbered, the newest of them as far as the budget of tokens reaches.

    What was left out is told at the top; long messages lose their middle. Empty where nobody said a word.
    """
    kept: list[str] = []
    said = [line for row in rows if (line := _line(row, budget // MOST_OF_ONE))]
    for line in reversed(said):
        budget -= text_tokens(line) + OF_A_NUMBER
        if budget < 0:
            break
        kept.append(line)
    numbered = [f"{number}. {line}" for number, line in enumerate(reversed(kept))]
    if left_out := len(said) - len(kept):
        numbered.insert(0, f"[{left_out} earlier messages are left out.]")
    return "\n".join(numbered)


def _line(row: MessageRow, most: int) -> str:
    words = "" if any(isinstance(part, Compaction) for part in row.parts) else searchable(row.parts).strip()
    words = " / ".join(line.strip() for line in words.splitlines() if line.strip())
    if not words:
        return ""
    place = "" if row.thread_id == row.agent_id else f" in {row.thread_id}"
    speaker = row.name or SPEAKERS[row.role]
    return f"[{row.created_at:%Y-%m-%d %H:%M} UTC{place}] {speaker}: {_shortened(words, most * CHARS)}"


def _shortened(words: str, most: int) -> str:
    if len(words) <= most:
        return words
    half = max(1, most // 2)
    return f"{words[:half]} […] {words[-half:]}"
