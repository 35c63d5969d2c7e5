"""Readers of a run: server-sent events for those who stream, one answer for those who wait."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from perdure.chat.frames import ping
from perdure.chat.schemas import LettaResponse, Ping, StopReason, UsageStatistics
from perdure.chat.tail import HandedOver, Pace, Tails
from perdure.kit.errors import PerdureError
from perdure.loop.events import TurnFailed
from perdure.loop.stops import UNKNOWN
from perdure.runs.frames import FrameRow
from perdure.runs.live import LiveRun

DONE = b"data: [DONE]\n\n"
PING = '{"message_type":"ping"'
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_stream(run: LiveRun, tails: Tails, *, pings: float | None) -> StreamingResponse:
    """Follow a run as server-sent events; a ping after `pings` seconds of silence, `[DONE]` always.

    The frames of a durable run carry their `seq_id`, so that a reader who left can ask for what follows.
    """
    if run.durable:
        rows = tails.follow(run.run_id, 0, Pace(silence=pings), run)
        return as_events(stored_events(run.run_id, rows))
    return as_events(_events(run, pings))


def as_events(events: AsyncGenerator[bytes, None]) -> StreamingResponse:
    """An answer of server-sent events."""
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


async def _events(run: LiveRun, pings: float | None) -> AsyncGenerator[bytes, None]:
    async for frame in run.follow(silence=pings):
        yield encode(frame.model.model_dump_json(), frame.event) if frame else sign_of_life(run.run_id)
    yield DONE


async def stored_events(
    run_id: str, rows: AsyncGenerator[FrameRow | None, None], *, pings: bool = True
) -> AsyncGenerator[bytes, None]:
    """The frames of a durable run, perhaps without the ping it begins with."""
    try:
        async with aclosing(rows) as frames:
            async for row in frames:
                if row is None:
                    yield sign_of_life(run_id)
                elif pings or not row.data.startswith(PING):
                    yield encode(row.data, row.event)
    except HandedOver:
        return  # without an end: whoever reads this knows that there is more, and may ask for it
    yield DONE


def sign_of_life(run_id: str) -> bytes:
    """A ping between the frames; it has no number, for nobody sees it again."""
    return encode(ping(run_id).model_dump_json())


def encode(data: str, event: str | None = None) -> bytes:
    """One frame as bytes. Ordinary frames have no `event:` line: clients skip those that do."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {data}\n\n".encode()


async def as_response(run: LiveRun) -> Response:
    """Wait for a run to end; its messages, stop reason and usage in one answer."""
    try:
        models = await run.ended()
    except Exception as error:
        raise final(error) from error
    return Response(collect(models), media_type="application/json")


def final(error: Exception) -> PerdureError:
    """What the caller of a failed run is told; its message is stored, so sending it again would repeat it."""
    cause = error.cause if isinstance(error, TurnFailed) else error
    told = cause if isinstance(cause, PerdureError) else PerdureError(UNKNOWN)
    told.headers = {**told.headers, "x-should-retry": "false"}
    return told


def collect(models: Sequence[BaseModel]) -> bytes:
    """The body of a blocking answer, from the same frames a stream shows."""
    stop: Any = None
    usage: Any = None
    messages: list[Any] = []
    for model in models:
        match model:
            case StopReason():
                stop = model
            case UsageStatistics():
                usage = model
            case Ping():
                pass
            case _:
                messages.append(model)
    return (
        LettaResponse.model_construct(messages=messages, stop_reason=stop, usage=usage or UsageStatistics())
        .model_dump_json()
        .encode()
    )
