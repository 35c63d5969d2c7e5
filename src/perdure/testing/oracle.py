"""What a provider would refuse: the vendors' own rules of a well-formed history."""

from collections.abc import Sequence

from perdure.content.parts import Message, calls_of, returns_of


def refusal(history: Sequence[Message]) -> str | None:
    """Why a vendor would refuse this history; None when it would not.

    Each call has exactly one return, in the message right after it, and no return comes without
    its call (OpenAI, Anthropic and Google all demand it).
    """
    waiting: set[str] = set()
    for message in history:
        if message.role == "tool":
            returned = [part.call_id for part in returns_of(message.parts)]
            if set(returned) != waiting or len(returned) != len(waiting):
                return f"returns {returned} for calls {sorted(waiting)}"
            waiting = set()
            continue
        if waiting:
            return f"calls {sorted(waiting)} were not answered"
        if message.role == "assistant":
            waiting = {call.id for call in calls_of(message.parts)}
    return f"calls {sorted(waiting)} were not answered" if waiting else None
