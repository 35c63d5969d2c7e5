"""Rounds of deeds at once, each followed by the checks."""

import asyncio
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from bench.interleave.checks import check
from bench.interleave.deeds import DEEDS, Deed, decide
from bench.interleave.mind import mind
from bench.interleave.world import Broken, World, new_world
from perdure.testing.live import LiveServer

AT_ONCE = 6
PATIENCE = 15.0


async def story(live: LiveServer, headers: dict[str, str], seed: int, rounds: int = 4) -> int:
    """Rounds on a fresh agent; how many deeds were done. Raises `Broken` with all that was done before."""
    random = Random(seed)
    handle = live.scripted.script(f"mind-{uuid4().hex}", mind(random))
    async with httpx.AsyncClient(base_url=live.url, headers=headers, timeout=PATIENCE) as http:
        world = await new_world(http, live, random, handle)
        done = 0
        try:
            for _ in range(rounds):
                done += await _round(world)
                await check(world)
        except (Broken, httpx.HTTPError) as broken:
            told = "\n  ".join([*world.log[-40:], *await standing(world)])
            raise Broken(f"{broken!r}\nseed {seed}, the last that was done:\n  {told}") from broken
        return done


async def standing(world: World) -> list[str]:
    """How everything stands, for the report of a failure."""
    runs = (await world.http.get(f"/v1/runs/?agent_id={world.agent_id}&limit=8")).json()
    told = [f"{run['id']} {run['conversation_id']} {run['status']} {run['stop_reason']}" for run in runs]
    for thread in world.threads:
        told += [thread.id, *map(_shown, (await world.history(thread))[-6:])]
    return told


def _shown(message: dict[str, Any]) -> str:
    words = str(message.get("content"))[:60]
    return f"    {message['id'][-6:]} {message['run_id']} {message['message_type']} {words!r}"


async def _round(world: World) -> int:
    chosen = world.random.choices(list(DEEDS), list(DEEDS.values()), k=world.random.randint(2, AT_ONCE))
    deciding = asyncio.create_task(_keep_deciding(world))
    results = await asyncio.gather(*(_later(world, deed) for deed in chosen), return_exceptions=True)
    deciding.cancel()
    await asyncio.gather(deciding, return_exceptions=True)
    for failed in results:
        if isinstance(failed, BaseException):
            raise failed
    return len(chosen)


async def _keep_deciding(world: World) -> None:
    """Those who wait in line behind calls that wait for approval would wait for ever."""
    while True:
        await asyncio.sleep(0.5)
        for thread in list(world.threads):
            if await world.pending(thread):
                await decide(world, thread)


async def _later(world: World, deed: Deed) -> None:
    """Do it at some moment of the round, mostly to the first thread, where others are at work, too."""
    await asyncio.sleep(world.random.choice((0.0, 0.005, 0.02, 0.06, 0.12)))
    thread = world.threads[0] if world.random.random() < 0.6 else world.random.choice(world.threads)
    await deed(world, thread)
