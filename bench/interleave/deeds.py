"""What can happen to a history at any moment; several of these happen at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import orjson

from bench.agents import REFUSALS, reply_to
from bench.interleave.world import Broken, Said, Thread, World

Deed = Callable[[World, Thread], Awaitable[None]]
MOST_THREADS = 4
DONE = "[DONE]"


async def send(world: World, thread: Thread) -> None:
    """Say something and wait for the answer; perhaps in line, perhaps first."""
    said, body = world.story(thread)
    await _wait_for(world, thread, said, body | {"streaming": False, **_strategy(world)})


async def again(world: World, thread: Thread) -> None:
    """Say the same thing twice at once, as a client does that was cut off."""
    said, body = world.story(thread)
    body["messages"][0]["otid"] = str(uuid4())
    body |= {"streaming": False, **_strategy(world)}
    answers = await asyncio.gather(*(_wait_for(world, thread, None, body) for _ in range(2)))
    said.taken = True if "taken" in answers else None if "unsure" in answers else False


async def hand_in(world: World, thread: Thread) -> None:
    """Leave something to be done in the background."""
    if thread.id != thread.agent_id:
        return
    said, body = world.story(thread)
    answer = await world.ask("POST", f"{thread.path}/messages/async", body, (200, 409))
    said.run_id, said.taken = answer.get("id"), None if "id" in answer else False


def _strategy(world: World) -> dict[str, str]:
    chosen = world.random.choice((None, None, "reject", "enqueue", "interrupt"))
    return {"multitask_strategy": chosen} if chosen else {}


async def _wait_for(world: World, thread: Thread, said: Said | None, body: dict[str, Any]) -> str:
    answer = await world.http.post(f"{thread.path}/messages", json=body)
    stopped = answer.status_code == 200 and answer.json()["stop_reason"]["stop_reason"] == "cancelled"
    fate = _fate(world, body, answer.status_code, answer.text, unsure=stopped)
    if said:
        said.taken = {"taken": True, "refused": False}.get(fate)
    return fate


def _fate(world: World, body: dict[str, Any], status: int, text: str, *, unsure: bool) -> str:
    """What became of an input: a run that failed has its input stored, one that waited may have not."""
    first = body["messages"][0]
    way = body.get("multitask_strategy") or ""
    world.note(f"{first.get('content') or first['type']} {way} → {status}{' cancelled' * unsure}")
    if status == 500 or (status not in REFUSALS and status not in (200, 503)):
        raise Broken(f"{first}: {status} {text[:500]}")
    return "unsure" if unsure else "refused" if status in REFUSALS else "taken"


async def stream(world: World, thread: Thread) -> None:
    """Say something and read the answer as it comes, to its end or for a while."""
    said, body = world.story(thread)
    body |= {"streaming": True, "stream_tokens": world.random.random() < 0.5, **_strategy(world)}
    body["background"] = world.random.random() < 0.5
    leave = world.random.choice((None, None, 1, 3))
    async with world.http.stream("POST", f"{thread.path}/messages", json=body) as answer:
        if answer.status_code != 200:
            text = (await answer.aread()).decode()
            fate = _fate(world, body, answer.status_code, text, unsure=False)
            said.taken = {"refused": False}.get(fate)
            return
        _fate(world, body, 200, "", unsure=False)
        frames = await _read(world, said, answer, leave)
    if leave is not None and body["background"] and said.run_id and world.random.random() < 0.7:
        frames = await _come_back(world, said.run_id, frames)
        leave = None
    if leave is None:
        _check_stream(world, frames)


async def _read(world: World, said: Said, answer: httpx.Response, leave: int | None) -> list[str]:
    frames: list[str] = []
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            frames.append(line[6:])
            if said.run_id is None and frames[-1] != DONE:
                said.run_id = orjson.loads(frames[-1]).get("run_id")
        if leave is not None and len(frames) >= leave:
            world.note(f"left {said.token} after {leave}")
            break
    return frames


async def _come_back(world: World, run_id: str, seen: list[str]) -> list[str]:
    """Read on where one left: what follows, each frame once, to the end. The whole stream then."""
    while seen and not _number(seen[-1]):
        seen = seen[:-1]  # without a number it does not move the cursor: it is told again
    cursor = _number(seen[-1]) if seen else 0
    path, body = f"/v1/runs/{run_id}/stream", {"starting_after": cursor, "include_pings": False}
    answer = await world.http.post(path, json=body)
    world.note(f"came back to {run_id} after {cursor} → {answer.status_code}")
    if answer.status_code != 200:
        raise Broken(f"{path} {body}: {answer.status_code} {answer.text[:500]}")
    frames = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    numbers = [number for frame in frames if (number := _number(frame))]
    if numbers != sorted(set(numbers)) or (numbers and numbers[0] <= cursor):
        raise Broken(f"{path} {body} told frames {numbers}")
    return [*seen, *frames]


def _number(frame: str) -> int:
    return 0 if frame == DONE else orjson.loads(frame).get("seq_id") or 0


def _check_stream(world: World, frames: list[str]) -> None:
    if not frames or frames[-1] != DONE:
        raise Broken(f"a stream ended without {DONE}: {frames[-2:]}")
    models = [orjson.loads(frame) for frame in frames[:-1]]
    reasons = [model["stop_reason"] for model in models if model["message_type"] == "stop_reason"]
    if len(reasons) != 1:
        raise Broken(f"a stream told {len(reasons)} stop reasons: {frames}")
    run_id = next((model["run_id"] for model in models if model.get("run_id")), None)
    if run_id:
        world.told.append((run_id, reasons[0]))


async def decide(world: World, thread: Thread) -> None:
    """Answer what waits, perhaps twice at once, perhaps wrongly, perhaps with another word at its end."""
    body = reply_to(await world.pending(thread), world.random, 0.6)
    words = body["messages"][0]["approvals"]
    if not words or world.random.random() < 0.1:
        words.append({"type": "approval", "tool_call_id": "call-unknown", "approve": True})
    said = None
    if world.random.random() < 0.2:
        said, more = world.story(thread)
        body["messages"] += more["messages"]
    copies = 1 if said or world.random.random() < 0.7 else 2
    body["streaming"] = False
    await asyncio.gather(*(_wait_for(world, thread, said, body) for _ in range(copies)))


async def cancel(world: World, thread: Thread) -> None:
    """Stop what is going on."""
    own = thread.id == thread.agent_id
    await world.ask("POST", f"{thread.path}/{'messages/' if own else ''}cancel", allowed=(200, 409))


async def crash(world: World, _: Thread) -> None:
    """Let the work on a run end as if its process had died."""
    if at_work := await world.open_runs():
        run_id = world.random.choice(at_work)
        world.crashed.add(run_id)
        world.note(f"crash {run_id}")
        await asyncio.to_thread(world.live.crash, run_id)


async def reset(world: World, _: Thread) -> None:
    """Take everything out of the agent's context."""
    await world.ask("PATCH", f"/v1/agents/{world.agent_id}/reset-messages", {}, allowed=(200, 409))


async def fork(world: World, thread: Thread) -> None:
    """Let a new conversation begin where this one is."""
    if len(world.threads) < MOST_THREADS:
        own = thread.id == thread.agent_id
        path = f"default/fork?agent_id={thread.id}" if own else f"{thread.id}/fork"
        made = await world.ask("POST", f"/v1/conversations/{path}", allowed=(200, 409))
        if "id" in made:
            world.threads.append(Thread(made["id"], world.agent_id))


async def edit(world: World, _: Thread) -> None:
    """Change a block from outside."""
    value = {"value": f"Person {world.random.random()}."}
    await world.ask("PATCH", f"/v1/agents/{world.agent_id}/core-memory/blocks/human", value)


async def compact(world: World, thread: Thread) -> None:
    """Sum up what was said until now."""
    own = thread.id == thread.agent_id
    path = f"{thread.path}/{'summarize' if own else 'compact'}"
    await world.ask("POST", path, {}, allowed=(200, 400, 409, 503))


async def repair(world: World, thread: Thread) -> None:
    """Mend the stored history."""
    if thread.id == thread.agent_id:
        await world.ask("POST", f"{thread.path}/messages/repair", {}, allowed=(200, 409))


DEEDS: dict[Deed, int] = {
    send: 8,
    stream: 8,
    again: 2,
    hand_in: 3,
    decide: 8,
    cancel: 3,
    crash: 3,
    reset: 1,
    fork: 1,
    edit: 1,
    compact: 2,
    repair: 1,
}
