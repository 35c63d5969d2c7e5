"""Following a run whose process gives it up, hands it over, or takes it up again."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.memory.mind import new_agent
from tests.runs.rows import MINE, run_of
from tests.runs.test_live import talk

from perdure.chat.tail import HandedOver, Pace, Tails
from perdure.db.notify import Listener
from perdure.messages import store as messages
from perdure.runs import frames, leases
from perdure.runs.frames import FrameRow
from perdure.runs.leases import Hold, RunEnd
from perdure.runs.live import LiveRun
from perdure.runs.runner import Runner
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization

END = '{"message_type":"usage_statistics"}'


@pytest.fixture
async def run(shared_database: Any) -> Any:
    actor = Actor((await shared_database.write(create_organization)).id)
    agent_id = await new_agent(shared_database, actor)
    await shared_database.write(messages.open_thread, actor, agent_id, agent_id, "Be kind.", "mark")
    made = run_of(actor, agent_id, background=True)
    await shared_database.write(leases.claim, made, MINE)
    return made


@pytest.fixture
async def tails(shared_database: Any) -> Any:
    listener = Listener("sqlite://", frames.CHANNEL)
    return Tails(shared_database, Runner(shared_database, MINE), listener, timedelta(hours=1))


class Reader:
    """Collects the numbers of what it reads."""

    def __init__(self, tails: Tails, run_id: str, live: LiveRun | None = None, silence: float | None = None):
        self.seen: list[int | None] = []
        self._rows = tails.follow(run_id, 0, Pace(poll=0.01, silence=silence), live)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for row in self._rows:
            self.seen.append(row.seq if row else None)

    async def until(self, count: int) -> None:
        for _ in range(500):
            if len(self.seen) >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"read {self.seen}")


async def stored(tails: Tails, run: Any, *numbers: int, end: int | None = None) -> None:
    rows = [FrameRow(number, "{}") for number in numbers] + ([FrameRow(end, END)] if end else [])
    await tails.db.write(frames.insert_frames, run.id, rows)


async def ended(tails: Tails, run: Any) -> None:
    await tails.db.write(leases.finish, Hold(run.id, MINE), RunEnd("end_turn"))


async def test_a_run_that_was_lost_is_followed_where_it_went(tails: Tails, run: Any) -> None:
    live = talk(LiveRun(run.id, durable=True), 3)
    reader = Reader(tails, run.id, live)
    await reader.until(3)
    await stored(tails, run, 1, 2)
    live.given_up = True
    live.finish()
    await stored(tails, run, 10_003, 10_004, end=10_005)
    await ended(tails, run)
    await asyncio.wait_for(reader.task, 5)
    assert reader.seen == [1, 2, 3, 10_003, 10_004, 10_005]


async def test_a_run_that_comes_here_is_followed_on(tails: Tails, run: Any) -> None:
    await stored(tails, run, 1, 2)
    reader = Reader(tails, run.id)
    await reader.until(2)
    live = LiveRun(run.id, durable=True, attempt=2, after=10_002)
    tails.runner.live[run.id] = live
    talk(live, 2)
    await reader.until(4)
    live.finish()
    await asyncio.wait_for(reader.task, 5)
    assert reader.seen == [1, 2, 10_003, 10_004]


async def test_a_run_that_is_handed_over_ends_without_an_end(tails: Tails, run: Any) -> None:
    live = talk(LiveRun(run.id, durable=True), 1)
    reader = Reader(tails, run.id, live)
    await reader.until(1)
    live.stop.handed_over = True
    live.finish()
    with pytest.raises(HandedOver):
        await asyncio.wait_for(reader.task, 5)


async def test_the_silence_of_a_run_elsewhere_is_noticed(tails: Tails, run: Any) -> None:
    await stored(tails, run, 1)
    reader = Reader(tails, run.id, silence=0.05)
    await reader.until(3)
    await stored(tails, run, end=2)
    await ended(tails, run)
    await asyncio.wait_for(reader.task, 5)
    assert (reader.seen[:2], reader.seen[-1]) == ([1, None], 2)
