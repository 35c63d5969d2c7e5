"""What the tool of the agent behind a voice takes."""

from typing import TypedDict


class MemoryChunk(TypedDict):
    """Lines that belong together.

    Attributes:
        start_index: The number of the first line.
        end_index: The number of the last line.
        context: One or two sentences on what the lines are about: names, dates, what was decided.
    """

    start_index: int
    end_index: int
    context: str
