"""A run that is asked to stop does so where it waits for others, and nowhere else."""

import asyncio
from typing import Any

import pytest

from perdure.runs.stop import Stop, Stopped


async def waits(stop: Stop, done: list[str]) -> None:
    try:
        with stop.interruptible():
            done.append("waiting")
            await asyncio.sleep(10)
    except Stopped:
        await asyncio.sleep(0)  # saving what was said is not interrupted
        done.append("saved")


async def started(work: Any) -> asyncio.Task[Any]:
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


async def test_a_request_breaks_off_a_wait_and_leaves_time_to_save() -> None:
    stop, done = Stop(), list[str]()
    task = await started(waits(stop, done))
    stop.request()
    stop.request()
    await asyncio.wait_for(task, 1)
    assert done == ["waiting", "saved"]


async def test_a_request_before_a_wait_is_noticed_when_it_begins() -> None:
    stop, done = Stop(), list[str]()
    stop.request()
    await waits(stop, done)
    assert done == ["saved"]


async def test_a_cancellation_from_elsewhere_is_one() -> None:
    stop, done = Stop(), list[str]()
    task = await started(waits(stop, done))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["waiting"]


async def test_what_is_no_wait_is_not_broken_off() -> None:
    stop = Stop()

    async def saves() -> str:
        with stop.interruptible():
            pass
        await asyncio.sleep(0.01)
        return "saved"

    task = await started(saves())
    stop.request()
    assert await task == "saved"
