"""A history in no vendor's format, by the rules all vendors share."""

from collections.abc import Iterator, Sequence

from perdure.content.parts import Message, calls_of, returns_of
from perdure.testing.oracle.pairs import Pairs


def refusal(history: Sequence[Message]) -> str | None:
    """Why a vendor would refuse this history; None when it would not.

    Each call has an id of its own and exactly one return, in the message right after it; no return comes
    without its call, and no message is empty.
    """
    return next(_faults(history), None)


def _faults(history: Sequence[Message]) -> Iterator[str]:
    pairs = Pairs()
    for message in history:
        if not message.parts:
            yield f"an empty {message.role} message"
        if message.role == "tool":
            yield from pairs.answer(part.call_id for part in returns_of(message.parts))
        yield from pairs.go_on()
        yield from pairs.ask(call.id for call in calls_of(message.parts))
    yield from pairs.go_on()
