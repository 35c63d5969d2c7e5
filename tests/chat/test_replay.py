"""A run that is told from the database."""

import pytest

from perdure.chat import replay as module
from perdure.chat.replay import replay
from perdure.chat.schemas import ErrorMessage, StopReason
from perdure.chat.wire import Projection
from perdure.db import connect
from perdure.kit.ids import new_id
from perdure.runs.runner import RunGoesOn


async def test_a_reader_is_told_where_to_ask_when_the_database_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    db = connect("postgresql://nobody@127.0.0.1:9/none")
    run_id = new_id("run")
    again = replay(db, run_id, Projection(run_id))
    with pytest.raises(RunGoesOn) as told:
        await again.ended()
    assert f"GET /v1/runs/{run_id}/messages" in told.value.detail
    assert told.value.body()["run_id"] == run_id
    stop, error = [frame.model for frame in again.frames]
    assert isinstance(stop, StopReason)
    assert isinstance(error, ErrorMessage)
    assert error.error_type == "stream_incomplete"
    await db.close()
