"""What must hold when a round is over."""

import asyncio
import time
from collections import Counter
from typing import Any

from bench.agents import GUARDED, outcomes_in, reply_to, unpaired, words_of
from bench.interleave.world import Broken, Thread, World

PATIENCE = 10.0


async def check(world: World) -> None:
    """All that must hold: the next message works everywhere, nothing is lost, doubled or left open."""
    for thread in world.threads:
        await _talk_again(world, thread)
    await _check_runs(world)
    for thread in world.threads:
        history = await world.history(thread)
        _check_inputs(world, thread, history)
        if fault := unpaired(history):
            raise Broken(fault)
        await _check_effects(world, history, len(world.threads))
    if refused := world.live.scripted.refused:
        raise Broken(f"a vendor would refuse what the model was told: {refused[0]}")


async def _talk_again(world: World, thread: Thread) -> None:
    """The next message is answered, after what waits has been decided."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if calls := await world.pending(thread):
            told = reply_to(calls, world.random, 0.6) | {"streaming": False}
            answer = await world.http.post(f"{thread.path}/messages", json=told)
            world.note(f"decided at the end → {answer.status_code}")
        said, body = world.story(thread, "say")
        answer = await world.http.post(f"{thread.path}/messages", json=body | {"streaming": False})
        world.note(f"{said.token} at the end → {answer.status_code}")
        said.taken = answer.status_code == 200
        if said.taken:
            last = answer.json()["messages"][-1]
            if last.get("content") != f"I hear {said.token}.":
                raise Broken(f"asked {said.token}, answered {last}")
            return
        if answer.status_code != 409:
            raise Broken(f"the next message is not answered: {answer.status_code} {answer.text[:500]}")
        await asyncio.sleep(0.05)
    raise Broken(f"the next message is refused for {PATIENCE} s: {answer.text[:500]}")


async def _check_runs(world: World) -> None:
    """No run is open, and streams told the end that is stored."""
    deadline = time.monotonic() + PATIENCE
    while at_work := await world.open_runs():
        if time.monotonic() > deadline:
            raise Broken(f"runs without an end: {at_work}")
        await asyncio.sleep(0.05)
    for said in world.said:
        if said.run_id and said.taken is None:
            run = await _run(world, said.run_id)
            said.taken = None if run["status"] == "cancelled" else True
            world.note(f"{said.token}: {run['status']} {run['metadata']}")
    for run_id, reason in world.told:
        run = await _run(world, run_id)
        if run_id not in world.crashed and run["stop_reason"] != reason:
            raise Broken(f"the stream of {run_id} ended with {reason}, its run with {run['stop_reason']}")
    world.told.clear()


async def _run(world: World, run_id: str) -> dict[str, Any]:
    return (await world.http.get(f"/v1/runs/{run_id}")).raise_for_status().json()


def _check_inputs(world: World, thread: Thread, history: list[dict[str, Any]]) -> None:
    """What was taken on is there once, what was refused is not."""
    found = Counter(str(message["content"]).split()[1] for message in history if _is_story(message))
    for said in world.said:
        if said.thread.id == thread.id:
            fits = found[said.token] <= 1 if said.taken is None else found[said.token] == said.taken
            if not fits:
                raise Broken(f"{said} is stored {found[said.token]} times")
        elif found[said.token] > 1:
            raise Broken(f"{said} is in {thread.id} {found[said.token]} times")


def _is_story(message: dict[str, Any]) -> bool:
    return message["message_type"] == "user_message" and str(message["content"]).startswith("story ")


async def _check_effects(world: World, history: list[dict[str, Any]], threads: int) -> None:
    """An edit that succeeded is there; none is there twice, but where forks decided about the same call."""
    listed = await world.http.get(f"/v1/agents/{world.agent_id}/core-memory/blocks")
    blocks = listed.raise_for_status().json()
    notes = next(block["value"] for block in blocks if block["label"] == "notes")
    for call, status in outcomes_in(history):
        words = words_of(call)
        times = notes.count(words) if words else 0
        waited = call["name"] == GUARDED or (words or "").endswith("-f>")
        if times > (threads if waited else 1):
            raise Broken(f"{words} was written {times} times, call {call}")
        if words and status == "success" and not times:
            raise Broken(f"{words} was written {times} times, call {call}")
