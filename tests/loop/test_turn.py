"""Turns that break where nobody expects it: the end is stored once, and people are told."""

import asyncio
from typing import Any

import pytest
from tests.runs.rows import run_of

from perdure.agents import store as agents
from perdure.agents.prompt import Reader
from perdure.content.parts import Text, text_of
from perdure.kit.paging import Page
from perdure.loop import intake
from perdure.loop.events import TurnFailed
from perdure.loop.intake import Intake
from perdure.loop.order import Environment, Order, new_step
from perdure.loop.turn import Turn
from perdure.messages import store as messages
from perdure.messages.store import Draft
from perdure.providers.entries import ResolvedModel
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.leases import Hold, Lease, LeaseLost
from perdure.runs.lists import StepFilter, list_steps
from perdure.runs.runner import RunInterrupted
from perdure.testing.oracle import refusal
from perdure.testing.scripted import Reply, ScriptedModel, call, say, wait
from perdure.tools.dispatch import Dispatcher

MINE = Lease("me:1", 30)


class Failing:
    """A database where one save point fails, once or for ever."""

    def __init__(self, db: Any, point: str, times: int = 1):
        self.db, self.point, self.left = db, point, times
        self.read, self.dialect = db.read, db.dialect

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if work.__name__ == self.point and self.left:
            self.left -= 1
            raise OSError("the database is gone")
        return await self.db.write(work, *args, **kwargs)


@pytest.fixture
def begin(shared_database, actor, agent_id):
    """Accept a message for a model with these replies; the turn is ready to run."""

    async def made(*replies: Reply, db: Any = None) -> Turn:
        scripted = ScriptedModel()
        scripted.script("m", *replies)
        model = ResolvedModel(
            handle="scripted/m",
            provider_name="scripted",
            provider_type="scripted",
            provider_category="base",
            model="m",
            endpoint_url=None,
            context_window=1000,
            max_output_tokens=None,
            client=scripted,
        )
        run = run_of(actor, agent_id)
        step = new_step(run, model, 1000)
        new = Intake(actor, run, Hold(run.id, MINE), step, Reader("scripted"), [Draft("user", (Text("hi"),))])
        state = await shared_database.write(intake.accept, new)
        environment = Environment(db or shared_database, Dispatcher(()), MINE, None)  # type: ignore[arg-type]
        return Turn(environment, Order(run, model, 5), state, step)

    return made


async def check_ended(db: Any, actor: Any, turn: Turn, said: list[tuple[str, bool]]) -> None:
    """The run failed, its steps ended, this was kept, and the next message would find all in order."""
    run = await db.read(runs.get, actor, turn.order.run.id)
    assert (run.status, run.stop_reason) == ("failed", "error")
    agent_id = turn.order.run.agent_id
    steps = await db.read(list_steps, actor, Page(), StepFilter(run_id=run.id))
    assert {step.status for step in steps} <= {"failed", "success"}
    assert (await db.read(agents.get, actor, agent_id)).last_stop_reason == "error"
    rows = [row for row in await db.read(messages.context, agent_id) if row.role == "assistant"]
    assert [(text_of(row.parts), row.is_err) for row in rows] == said


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("save_answer", [("So:", True)]),
        ("save_returns", [("So:", False)]),
        ("save_end", [("So:", False), ("ok", True)]),
    ],
)
async def test_a_save_point_that_fails_ends_the_turn_and_keeps_the_words(
    shared_database, actor, begin, point, said
):
    answer = say("So:") + call("launch")
    turn = await begin(answer, say("ok"), db=Failing(shared_database, point))
    with pytest.raises(TurnFailed) as failed:
        [event async for event in turn.run()]
    assert isinstance(failed.value.cause, OSError)
    await check_ended(shared_database, actor, turn, said)


async def test_a_turn_that_is_cancelled_ends_its_run(shared_database, actor, begin):
    turn = await begin(wait(asyncio.Event(), say("never")))
    heard: list[Any] = []

    async def listen() -> None:
        heard.extend([event async for event in turn.run()])

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(TurnFailed) as failed:
        await task
    assert isinstance(failed.value.cause, RunInterrupted)
    assert heard == []
    await check_ended(shared_database, actor, turn, [])


async def test_a_turn_whose_run_was_taken_over_writes_nothing(shared_database, actor, agent_id, begin):
    turn = await begin(say("mine"))
    await shared_database.write(leases.break_off, turn.state.hold, {"error_type": "x", "message": "x"})
    before = await shared_database.read(messages.context_ids, agent_id)
    with pytest.raises(LeaseLost):
        [event async for event in turn.run()]
    assert await shared_database.read(messages.context_ids, agent_id) == before


async def test_after_any_fault_the_model_is_told_a_whole_history(shared_database, begin):
    turn = await begin(call("launch"), db=Failing(shared_database, "save_returns", 1))
    with pytest.raises(TurnFailed):
        [event async for event in turn.run()]
    following = await begin(say("again"))
    events = [event async for event in following.run()]
    assert events[-1].stop_reason == "end_turn"
    (request,) = following.order.model.client.requests["m"]
    assert refusal(request.messages) is None
