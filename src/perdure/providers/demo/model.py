"""The demo as a model client: a decision, streamed word by word."""

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING
from uuid import uuid4

from perdure.content.parts import Message, Text, ToolCall, ToolReturn
from perdure.providers.base import (
    Exchange,
    Finish,
    ModelEvent,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)

if TYPE_CHECKING:
    from perdure.providers.demo.decide import Step

PIECE = re.compile(r"\s*\S+\s*|\s+")
CHARACTERS_A_TOKEN = 4


class DemoModel:
    """`demo/offline`: instant, free, always the same answer to the same request."""

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Answer; the tokens it reports are estimates."""
        from perdure.providers.demo.decide import decide  # noqa: PLC0415 - its patterns cost 50 ms

        del exchange  # there is no wire to show
        step = decide(request)
        for piece in PIECE.findall(step.text):
            yield TextDelta(piece)
        for index, call in enumerate(step.calls):
            yield ToolCallStart(index, f"call_{uuid4().hex[:24]}", call.name)
            for piece in PIECE.findall(call.arguments):
                yield ToolCallDelta(index, piece)
        yield Finish("tool_calls" if step.calls else "stop", usage_of(request, step))


def usage_of(request: ModelRequest, step: "Step") -> Usage:
    """About how many tokens a model would have counted."""
    read = len(request.system) + sum(_length(message) for message in request.messages)
    written = len(step.text) + sum(len(call.name) + len(call.arguments) for call in step.calls)
    return Usage(-(-read // CHARACTERS_A_TOKEN), -(-written // CHARACTERS_A_TOKEN))


def _length(message: Message) -> int:
    total = 0
    for part in message.parts:
        match part:
            case Text(text) | ToolReturn(text=text):
                total += len(text)
            case ToolCall(arguments=arguments):
                total += len(arguments)
            case _:
                pass
    return total
