"""Live runs: numbered frames, of a durable run only the last ones in memory."""

import json

import pytest
from pydantic import BaseModel

from perdure.runs import live as module
from perdure.runs.frames import FrameRow
from perdure.runs.live import LiveRun, rows_of


class Word(BaseModel):
    text: str


class Numbered(Word):
    seq_id: int | None = None


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(module, "RING", 3)
    monkeypatch.setattr(module, "SLACK", 1)


def talk(run: LiveRun, count: int) -> LiveRun:
    for number in range(count):
        run.append(Numbered(text=str(number)))
    return run


def test_frames_of_a_durable_run_are_kept_as_they_are_sent():
    run = talk(LiveRun("run-1", durable=True, after=10_000), 1)
    run.append(Word(text="bare"), "error")
    first, second = run.unstored()
    assert json.loads(first.data) == {"text": "0", "seq_id": 10_001}
    assert second == FrameRow(10_002, '{"text":"bare"}', "error")
    assert rows_of([(Word(text="next"), None)], after=run.seq) == [FrameRow(10_003, '{"text":"next"}')]
    assert talk(LiveRun("run-2"), 1).frames[0].row is None


def test_only_stored_frames_are_dropped_and_the_last_ones_stay(small):
    run = talk(LiveRun("run-1", durable=True), 5)
    assert run.dropped == 0
    run.mark_stored(1)
    assert (run.dropped, [frame.seq for frame in run.since(0, 9)]) == (1, [2, 3, 4, 5])
    run.mark_stored(5)
    assert (run.dropped, run.unstored()) == (2, [])
    talk(run, 1)
    assert [row.seq for row in run.unstored()] == [6]
    assert [frame.seq for frame in run.since(3, 2)] == [4, 5]
    assert run.since(6, 9) == run.since(99, 9) == []


async def test_nothing_is_dropped_while_somebody_follows(small):
    run = talk(LiveRun("run-1", durable=True), 5)
    reader = run.follow()
    seen = [(await anext(reader)).seq]
    run.mark_stored(5)
    run.finish()
    seen += [frame.seq async for frame in reader]
    assert seen == [1, 2, 3, 4, 5]
    run.mark_stored(5)
    assert run.dropped == 2
    assert [frame.seq async for frame in run.follow()] == [3, 4, 5]
