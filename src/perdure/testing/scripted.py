"""A model that says what a test wrote: no network, no vendor, every event of the true contract."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from perdure.providers.base import (
    Exchange,
    Finish,
    ModelBadRequest,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from perdure.testing.oracle import refusal_of

USAGE = Usage(input_tokens=100, output_tokens=10)
call_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: what it waits for, its events in order, each after `pace` seconds, perhaps an error."""

    events: tuple[ModelEvent, ...]
    error: Exception | None = None
    before: Callable[[], Awaitable[object]] | None = None
    pace: float = 0.0

    def __add__(self, other: "Reply") -> "Reply":
        """Both in one answer: text and then calls, or several calls at once."""
        mine = tuple(event for event in self.events if not isinstance(event, Finish))
        shift = sum(isinstance(event, ToolCallStart) for event in mine)
        events = (*mine, *(_shifted(event, shift) for event in other.events))
        return Reply(events, other.error, self.before, self.pace)


def _shifted(event: ModelEvent, by: int) -> ModelEvent:
    if isinstance(event, ToolCallStart):
        return ToolCallStart(event.index + by, event.id, event.name)
    if isinstance(event, ToolCallDelta):
        return ToolCallDelta(event.index + by, event.arguments)
    return event


def say(text: str, *, usage: Usage = USAGE) -> Reply:
    """Answer with text, a word at a time."""
    words = text.split(" ")
    pieces = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
    return Reply((*(TextDelta(piece) for piece in pieces), Finish("stop", usage)))


def think(text: str, signature: str | None = None) -> Reply:
    """Reason before what is added: `think("hm") + say("42")`."""
    thought = ReasoningDelta(text)
    return Reply((thought, ReasoningDelta(signature=signature)) if signature else (thought,))


def call(name: str, /, **arguments: object) -> Reply:
    """Call a tool, its arguments in two pieces."""
    return call_raw(name, json.dumps(arguments))


def call_raw(name: str, arguments: str, id: str | None = None) -> Reply:
    """Call a tool with arguments that may not be JSON at all."""
    half = len(arguments) // 2
    return Reply(
        (
            ToolCallStart(0, id or f"call-{next(call_numbers)}", name),
            ToolCallDelta(0, arguments[:half]),
            ToolCallDelta(0, arguments[half:]),
            Finish("tool_calls", USAGE),
        )
    )


def fail(error: Exception, after: Reply | None = None) -> Reply:
    """Break with `error`, at once or in the middle of another reply."""
    events = after.events if after else ()
    return Reply(tuple(event for event in events if not isinstance(event, Finish)), error)


def wait(gate: asyncio.Event | Callable[[], Awaitable[object]], then: Reply) -> Reply:
    """Say nothing until the gate opens."""
    return replace(then, before=gate.wait if isinstance(gate, asyncio.Event) else gate)


def slowly(reply: Reply, pace: float) -> Reply:
    """The same reply with `pace` seconds before each of its events."""
    return replace(reply, pace=pace)


Script = Sequence[Reply] | Callable[[ModelRequest], Reply]


@dataclass
class ScriptedModel:
    """A model client whose answers are scripted per model name.

    A script is a list of replies, taken in turn (the last one repeats), or a function of the
    request. `requests[name]` keeps what was asked. What a vendor would refuse is refused here, too:
    `refused` keeps the reasons.
    """

    scripts: dict[str, Script] = field(default_factory=dict[str, Script])
    requests: dict[str, list[ModelRequest]] = field(
        default_factory=lambda: defaultdict[str, list[ModelRequest]](list)
    )
    refused: list[str] = field(default_factory=list[str])

    def script(self, name: str, *replies: Reply | Callable[[ModelRequest], Reply]) -> str:
        """Set the script of a model; returns its handle on a server that has it as `scripted`."""
        first = replies[0]
        self.scripts[name] = (
            [reply for reply in replies if isinstance(reply, Reply)] if isinstance(first, Reply) else first
        )
        return f"scripted/{name}"

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Play the next reply of the script named by `request.model`."""
        asked = self.requests[request.model]
        asked.append(request)
        if fault := refusal_of(request):
            self.refused.append(fault)
            raise ModelBadRequest(f"A vendor would refuse this request: {fault}")
        script = self.scripts.get(request.model, [say("ok")])
        reply = script(request) if callable(script) else script[min(len(asked), len(script)) - 1]
        if exchange is not None:
            exchange.url, exchange.status, exchange.request = "scripted:", 200, b'{"scripted": true}'
        if reply.before:
            await reply.before()
        for event in reply.events:
            if reply.pace:
                await asyncio.sleep(reply.pace)
            yield event
        if reply.error:
            raise reply.error
