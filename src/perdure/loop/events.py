"""What a turn tells while it runs."""

from dataclasses import dataclass

from perdure.messages.store import MessageRow
from perdure.providers.base import ModelEvent
from perdure.runs.store import Tokens


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer that is still being made; it will be saved as `message_id`."""

    event: ModelEvent
    message_id: str
    step_id: str
    asks: bool = False  # a piece of a call that will wait for approval


@dataclass(frozen=True, slots=True)
class Saved:
    """A message that is safely stored. An answer comes here after its deltas, whole.

    One of a compaction is for those who want to know of it.
    """

    message: MessageRow
    of_compaction: bool = False


@dataclass(frozen=True, slots=True)
class Compacting:
    """The history has grown too large, and a part of it is about to leave the context."""

    trigger: str
    context_tokens: int
    context_window: int
    step_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The turn is over and its end is stored."""

    stop_reason: str
    tokens: Tokens
    steps: int
    context_tokens: int

    @classmethod
    def withdrawn(cls) -> "Ended":
        """The end of a run that was cancelled before it began."""
        return cls("cancelled", Tokens(), 0, 0)


TurnEvent = Delta | Saved | Compacting | Ended


class TurnFailed(Exception):
    """A turn that could not go on; how it ended is already stored."""

    def __init__(self, stop_reason: str, cause: Exception):
        super().__init__(str(cause))
        self.stop_reason = stop_reason
        self.cause = cause
