"""Trying again: before the first event only, as long as asked, not for ever."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from perdure.providers.base import (
    Exchange,
    Finish,
    ModelAuthenticationError,
    ModelError,
    ModelEvent,
    ModelRateLimited,
    ModelRequest,
    ModelUnavailable,
    StreamCut,
    TextDelta,
)
from perdure.providers.endpoint import Endpoint
from perdure.providers.retry import pause, with_retries
from perdure.providers.vendors import close_pool, open_client
from perdure.testing.model_server import ModelServer

REQUEST = ModelRequest("m", "", ())
OK = (TextDelta("hi"), Finish("stop"))


class Faulty:
    """Fails with each of `faults` in turn (after `spoken` events), then answers."""

    def __init__(self, *faults: ModelError, spoken: int = 0):
        self.faults = list(faults)
        self.spoken = spoken
        self.asked = 0

    async def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        assert request is REQUEST
        self.asked += 1
        if exchange:
            exchange.response += b"try%d" % self.asked
        if self.faults:
            for _ in range(self.spoken):
                yield TextDelta("so far")
            raise self.faults.pop(0)
        for event in OK:
            yield event


async def collect(client: Faulty, **limits: float) -> list[ModelEvent]:
    retrying = with_retries(client, first_wait=0.01, **limits)  # type: ignore[arg-type]
    return [event async for event in retrying.stream(REQUEST)]


async def test_a_passing_failure_is_not_seen() -> None:
    client = Faulty(ModelUnavailable("down"), StreamCut("cut"))
    assert await collect(client) == list(OK)
    assert client.asked == 3


async def test_after_three_tries_the_last_error_comes() -> None:
    client = Faulty(*(ModelUnavailable(f"down {n}") for n in range(5)))
    with pytest.raises(ModelUnavailable, match="down 2"):
        await collect(client)
    assert client.asked == 3


async def test_a_lasting_failure_is_not_tried_again() -> None:
    client = Faulty(ModelAuthenticationError("no"))
    with pytest.raises(ModelAuthenticationError):
        await collect(client)
    assert client.asked == 1


async def test_after_the_first_event_the_error_passes() -> None:
    client = Faulty(StreamCut("cut"), spoken=1)
    seen: list[ModelEvent] = []
    with pytest.raises(StreamCut):
        await _into(seen, client)
    assert seen == [TextDelta("so far")]
    assert client.asked == 1


async def _into(seen: list[ModelEvent], client: Faulty) -> None:
    async for event in with_retries(client).stream(REQUEST):
        seen.append(event)  # noqa: PERF401 - what came before the failure must stay


async def test_the_provider_says_how_long_to_wait() -> None:
    client = Faulty(ModelRateLimited("slow", retry_after=0.2))
    began = time.monotonic()
    await collect(client)
    assert 0.2 <= time.monotonic() - began < 0.5


async def test_a_wait_that_is_too_long_is_told_at_once() -> None:
    client = Faulty(ModelRateLimited("come back tomorrow", retry_after=3600))
    with pytest.raises(ModelRateLimited, match="tomorrow"):
        await collect(client)
    assert client.asked == 1


async def test_waiting_can_be_cancelled() -> None:
    client = Faulty(ModelRateLimited("slow", retry_after=20))
    task = asyncio.create_task(collect(client))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_waits_grow_and_differ() -> None:
    error = ModelUnavailable("down")
    waits = [[pause(error, attempt, 1.0) for _ in range(50)] for attempt in (1, 2, 3)]
    assert all(0.5 <= wait <= 1 for wait in waits[0])
    assert all(2 <= wait <= 4 for wait in waits[2])
    assert len(set(waits[1])) > 40


async def test_the_exchange_keeps_the_last_try() -> None:
    exchange = Exchange()
    client = with_retries(Faulty(ModelUnavailable("down")), first_wait=0.01)
    async for _ in client.stream(REQUEST, exchange):
        pass
    assert exchange.response == b"try2"


async def test_over_real_http_a_limit_and_a_cut_before_the_first_event_are_ridden_out() -> None:
    from perdure.content.parts import Message, Text

    with ModelServer() as server:
        client = with_retries(open_client(Endpoint("p", "anthropic", server.url)), first_wait=0.01)
        text = "fail:429 after=0.05 times=2\nsay:made it"
        request = ModelRequest("m", "", (Message("user", (Text(text),)),))
        events = [event async for event in client.stream(request)]
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "made it"
        assert len(server.requests) == 3
        server.clear()
        request = ModelRequest("m", "", (Message("user", (Text("cut:0\nsay:never"),)),))
        with pytest.raises(StreamCut):
            _ = [event async for event in client.stream(request)]
        assert len(server.requests) == 3
        await close_pool()
