"""How large a request is, and how large it may be. Pure but for what `Calibration` remembers."""

from dataclasses import dataclass, field

import orjson

from perdure.content.estimate import message_tokens, text_tokens
from perdure.providers.base import ModelRequest, ToolSpec

LIMIT_SHARE = 0.9  # of the window: more is not sent
FIXED_ROOM = 0.5  # of what a large prompt leaves of the window
LEAST_SHARE = 0.5  # of the window is for the request, however long answers may be
SETTLED_SHARE = 0.8  # of the limit: compaction goes below, so that it does not run again at once
SETTLED_ROOM = 0.3  # of the room for messages, where the prompt leaves little
LEAST_RATIO, MOST_RATIO = 0.7, 4.0
MOST_HANDLES = 1000
FRAME_TOKENS = 500
TOOL_TOKENS = 8  # the frame of a definition


@dataclass(frozen=True, slots=True)
class Size:
    """Tokens of a request: what is sent every time (prompt and tools), and the messages."""

    fixed: int
    messages: int

    @property
    def total(self) -> int:
        return self.fixed + self.messages

    def scaled(self, ratio: float) -> "Size":
        """The same, as a provider would count it."""
        return Size(round(self.fixed * ratio), round(self.messages * ratio))


def size_of(request: ModelRequest) -> Size:
    """The estimated size of a request."""
    fixed = text_tokens(request.system) + sum(map(_tool_tokens, request.tools))
    return Size(fixed, sum(map(message_tokens, request.messages)))


def _tool_tokens(tool: ToolSpec) -> int:
    schema = len(orjson.dumps(tool.parameters)) // 4
    return TOOL_TOKENS + schema + text_tokens(tool.name) + text_tokens(tool.description)


def limit_of(window: int, fixed: int, answer: int | None) -> int:
    """The most tokens a request may take before its history is compacted.

    Nine tenths of the window, and less where the agent's answers may take more than the last tenth. A
    prompt that leaves less than that still leaves its messages half of the rest.
    """
    room = window - (answer or 0)
    limit = max(window * LEAST_SHARE, min(window * LIMIT_SHARE, room))
    return round(max(limit, fixed + (window - fixed) * FIXED_ROOM))


def goal_of(window: int, limit: int, fixed: int, evicted_share: float) -> int:
    """The most tokens that messages, with their summary, may take after a compaction.

    `evicted_share` of the window is free then; in any case so much that it does not run again at once.
    """
    settled = min(window * (1 - evicted_share), limit * SETTLED_SHARE) - fixed
    return round(max(settled, (limit - fixed) * SETTLED_ROOM, 0))


@dataclass(slots=True)
class Calibration:
    """How a provider's count compares with our estimate, by model: learned from its last answer.

    Held in memory only; without an answer yet the estimate counts as it is.
    """

    ratios: dict[str, float] = field(default_factory=dict[str, float])

    def ratio(self, handle: str) -> float:
        """What to multiply an estimate with."""
        return self.ratios.get(handle, 1.0)

    def learn(self, handle: str, estimated: int, counted: int) -> None:
        """Take note of an answer; a provider that tells nothing teaches nothing.

        Small requests teach little, for a vendor's own frame around them weighs most there. Far-off counts
        are believed in part only: some servers leave out what they had cached.
        """
        if counted <= 0 or estimated <= 0:
            return
        if len(self.ratios) >= MOST_HANDLES:
            self.ratios.clear()
        ratio = (counted + FRAME_TOKENS) / (estimated + FRAME_TOKENS)
        self.ratios[handle] = min(MOST_RATIO, max(LEAST_RATIO, ratio))
