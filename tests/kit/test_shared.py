"""Work shared by all who want its answer at the same time."""

import asyncio

import pytest

from perdure.kit.shared import Shared


class Work:
    """Counts its beginnings, waits for its gate, and tells whether its answer still counted at its end."""

    def __init__(self) -> None:
        self.shared: Shared[int] = Shared("count")
        self.gate = asyncio.Event()
        self.begun = 0
        self.counted: dict[int, bool] = {}

    async def count(self) -> int:
        self.begun += 1
        mine = self.begun
        await self.gate.wait()
        self.counted[mine] = self.shared.counts("key")
        return mine

    def ask(self) -> asyncio.Task[int]:
        return asyncio.create_task(self.shared.get("key", self.count))


async def test_those_who_ask_at_once_share_one_answer_and_the_next_begins_anew() -> None:
    work = Work()
    both = [work.ask(), work.ask()]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(*both) == [1, 1]
    assert await work.ask() == 2


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    work = Work()
    leaving, staying = work.ask(), work.ask()
    await asyncio.sleep(0)
    leaving.cancel()
    work.gate.set()
    assert await staying == 1


@pytest.mark.parametrize("key", ["key", None])
async def test_what_was_dropped_counts_no_more(key: str | None) -> None:
    work = Work()
    old = work.ask()
    await asyncio.sleep(0)
    work.shared.drop(key)
    new = work.ask()
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(old, new) == [1, 2]
    assert work.counted == {1: False, 2: True}


async def test_closing_stops_what_is_under_way() -> None:
    work = Work()
    asked = work.ask()
    await asyncio.sleep(0)
    await work.shared.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert work.counted == {}
