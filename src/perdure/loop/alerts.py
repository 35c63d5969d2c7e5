"""What the loop itself says to a model: pure."""

import json
from collections.abc import Sequence

from perdure.content.parts import Part, Text


def nudge_parts(missing: Sequence[str]) -> tuple[Part, ...]:
    """A reminder that tools must be called before the turn may end."""
    names = ", ".join(missing)
    reason = f"Before you finish you still have to call: {names}. Call now, then answer."
    return (Text(json.dumps({"type": "heartbeat", "reason": reason})),)
