"""Sessions by key: shared, bounded, closed when the last user is done; failures are remembered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from perdure.mcp.errors import McpUnreachable
from perdure.mcp.pool import Pool
from perdure.mcp.settings import McpSettings


@dataclass
class Session:
    """What the pool knows of a connection."""

    alive: bool = True

    async def close(self) -> None:
        self.alive = False


@dataclass
class Door:
    """Opens sessions, or fails to."""

    opened: list[Session] = field(default_factory=list)
    broken: bool = False

    async def __call__(self) -> Session:
        await asyncio.sleep(0)
        if self.broken:
            raise McpUnreachable("closed")
        self.opened.append(Session())
        return self.opened[-1]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool(McpSettings(connections=2, retry_seconds=0.05))
    yield made
    await made.close()


async def test_users_of_one_key_share_a_session(pool, door):
    async def use() -> Session:
        async with pool.using("s", "f", door) as session:
            await asyncio.sleep(0.01)
            return session

    used = await asyncio.gather(*(use() for _ in range(5)))
    assert len(door.opened) == 1
    assert all(one is used[0] for one in used)
    async with pool.using("s", "other credentials", door) as other:
        assert other is not used[0]


async def test_the_longest_unused_makes_room_and_what_is_used_stays(pool, door):
    async with pool.using("a", "", door) as first:
        async with pool.using("b", "", door) as second:
            with pytest.raises(McpUnreachable, match="All 2 connections"):
                async with pool.using("c", "", door):
                    pass
        async with pool.using("c", "", door):
            await asyncio.sleep(0)
            assert (first.alive, second.alive) == (True, False)


async def test_a_dropped_session_serves_its_users_to_the_end(pool, door):
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(pool.using("s", "", door))
        pool.forget("s")
        async with pool.using("s", "", door) as newer:
            assert newer is not session
        await asyncio.sleep(0)
        assert session.alive
    await asyncio.sleep(0)
    assert not session.alive


async def test_a_dead_session_is_replaced(pool, door):
    async with pool.using("s", "", door) as first:
        first.alive = False
    async with pool.using("s", "", door) as second:
        assert second is not first


async def test_failures_are_remembered_for_a_while(pool, door):
    door.broken = True
    with pytest.raises(McpUnreachable, match=r"^closed$"):
        async with pool.using("s", "", door):
            pass
    door.broken = False
    with pytest.raises(McpUnreachable, match="a moment ago"):
        async with pool.using("s", "", door):
            pass
    async with pool.using("s", "other credentials", door):
        pass
    pool.forget("s")
    async with pool.using("s", "", door):
        pass
    door.broken = True
    with pytest.raises(McpUnreachable):
        async with pool.using("t", "", door):
            pass
    door.broken = False
    await asyncio.sleep(0.06)
    async with pool.using("t", "", door):
        pass


async def test_one_who_stops_waiting_stops_nobody_else(pool):
    gate = asyncio.Event()

    async def slowly() -> Session:
        await gate.wait()
        return Session()

    async def use() -> bool:
        async with pool.using("s", "", slowly) as session:
            return session.alive

    first, second = asyncio.create_task(use()), asyncio.create_task(use())
    await asyncio.sleep(0.01)
    first.cancel()
    gate.set()
    assert await second
