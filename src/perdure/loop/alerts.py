"""What the loop itself says to a model: pure."""

import json
from collections.abc import Sequence
from datetime import datetime

from perdure.content.parts import Part, Text
from perdure.tools.envelope import spelled

HIDDEN = (
    "Earlier messages of this conversation are no longer shown: it has grown too long. They are stored and "
    "can be searched. This is a summary of them:"
)
LEAVING = (
    "This conversation has grown too long: the {count} messages up to here are about to leave your view, "
    "and a summary will take their place. If they say something you should remember for good and have not "
    "written down yet, save it to your memory now, with the tools you have. Otherwise answer: nothing to "
    "save. Nobody else reads what you answer to this."
)


def nudge_parts(missing: Sequence[str]) -> tuple[Part, ...]:
    """A reminder that tools must be called before the turn may end."""
    names = ", ".join(missing)
    reason = f"Before you finish you still have to call: {names}. Call now, then answer."
    return (Text(json.dumps({"type": "heartbeat", "reason": reason})),)


def summary_parts(summary: str, at: datetime, timezone: str) -> tuple[Part, ...]:
    """A summary as the model is told it."""
    return _alert(f"{HIDDEN}\n\n{summary}", at, timezone)


def leaving_parts(count: int, at: datetime, timezone: str) -> tuple[Part, ...]:
    """Says that messages are about to leave the view, and that this is the moment to save what matters."""
    return _alert(LEAVING.format(count=count), at, timezone)


def _alert(message: str, at: datetime, timezone: str) -> tuple[Part, ...]:
    told = {"type": "system_alert", "message": message, "time": spelled(at, timezone)}
    return (Text(json.dumps(told, ensure_ascii=False)),)
