"""Readers of a run: server-sent events for those who stream, one answer for those who wait."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from perdure.chat.frames import ping
from perdure.chat.schemas import LettaResponse, Ping, StopReason, UsageStatistics
from perdure.kit.errors import PerdureError
from perdure.loop.events import TurnFailed
from perdure.loop.stops import UNKNOWN
from perdure.runs.live import Frame, LiveRun

DONE = b"data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_stream(run: LiveRun, *, pings: float | None, numbered: bool) -> StreamingResponse:
    """Follow a run as server-sent events; a ping after `pings` seconds of silence, `[DONE]` at its end.

    `numbered` frames carry their `seq_id`, so that a reader who left can ask for what follows.
    """
    return StreamingResponse(_events(run, pings, numbered), media_type="text/event-stream", headers=HEADERS)


async def _events(run: LiveRun, pings: float | None, numbered: bool) -> AsyncIterator[bytes]:
    async for frame in run.follow(silence=pings):
        yield encode(frame, numbered) if frame else encode(Frame(0, ping(run.run_id)), False)
    if not run.cut:
        yield DONE


def encode(frame: Frame, numbered: bool) -> bytes:
    """One frame as bytes. Ordinary frames have no `event:` line: clients skip those that do."""
    if numbered and hasattr(frame.model, "seq_id"):
        data = frame.model.model_copy(update={"seq_id": frame.seq}).model_dump_json()
    else:
        data = frame.model.model_dump_json()
    name = f"event: {frame.event}\n" if frame.event else ""
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
