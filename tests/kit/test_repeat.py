"""Work in the background goes on after a fault, and says so."""

import asyncio
import logging

from perdure.kit.repeat import repeat


async def test_work_that_failed_is_told_and_done_again(caplog):
    done: list[int] = []
    again = asyncio.Event()

    async def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise OSError("away")
        again.set()

    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(repeat(0.001, work, "it could not be done"))
        await asyncio.wait_for(again.wait(), 5)
        task.cancel()
    assert caplog.messages == ["it could not be done; trying again"]
