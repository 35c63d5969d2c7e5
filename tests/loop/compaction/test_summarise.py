"""Having a summary written: in parts by small models, and without one where models fail."""

import asyncio
from typing import Any

import pytest
from tests.loop.compaction.test_cut import row
from tests.runs.rows import run_of

from perdure.agents.prompt import Reader
from perdure.agents.schemas.compaction import CompactionSettings
from perdure.content.parts import Text, text_of
from perdure.loop import intake
from perdure.loop.compaction.cut import Plan
from perdure.loop.compaction.summarise import Summary, summarise
from perdure.loop.intake import Intake
from perdure.loop.measure import size_of
from perdure.loop.order import Environment, Order, new_step
from perdure.loop.settings import SummarySettings
from perdure.providers.base import ContextOverflow, ModelRequest, ModelUnavailable
from perdure.providers.entries import ResolvedModel
from perdure.runs.leases import Hold, Lease
from perdure.testing.scripted import Reply, ScriptedModel, fail, say, wait
from perdure.tools.dispatch import Dispatcher

MINE = Lease("me:1", 30)
ROWS = tuple(row("user", Text(f"{number}: " + "something was said here " * 10)) for number in range(60))


def model_of(scripted: ScriptedModel, name: str, window: int) -> ResolvedModel:
    handle = f"scripted/{name}"
    return ResolvedModel(handle, "scripted", "scripted", "base", name, None, window, None, scripted)


@pytest.fixture
def summary_by(shared_database, actor, agent_id):
    """Have the rows summarised by a model of this window, the agent's own one being another."""

    async def made(script: Any, window: int, *, seconds: float = 5, own: Any = None) -> tuple[Summary, Any]:
        scripted = ScriptedModel()
        scripted.script("writer", script)
        scripted.script("own", own or fail(ModelUnavailable("own is out of order")))
        models = {name: model_of(scripted, name, window) for name in ("writer", "own")}

        async def resolve(_: Any, handle: str) -> ResolvedModel:
            return models[handle.split("/")[1]]

        run = run_of(actor, agent_id)
        step = new_step(run, models["own"], 1000)
        new = Intake(actor, run, Hold(run.id, MINE), step, Reader("scripted"))
        state = await shared_database.write(intake.accept, new)
        settings = SummarySettings(seconds=seconds)
        env = Environment(shared_database, Dispatcher(()), MINE, None, resolve=resolve, summaries=settings)
        plan = Plan(ROWS, (), summary_tokens=200, kept_tokens=0)
        wanted = CompactionSettings(model="scripted/writer")
        return await summarise(env, Order(run, models["own"], 5), state, plan, wanted), scripted

    return made


async def test_a_text_that_does_not_fit_is_summarised_in_parts_and_these_once_more(summary_by) -> None:
    def script(request: ModelRequest) -> Reply:
        assert size_of(request).total <= 1000
        return say("Part." if "This is part" in text_of(request.messages[-1].parts) else "Whole.")

    summary, scripted = await summary_by(script, 1000)
    assert summary.text == "Whole."
    assert summary.step.status == "success"
    calls = scripted.requests["writer"]
    assert len(calls) > 4
    assert summary.tokens.prompt == 100 * len(calls)
    shown = "".join(text_of(request.messages[-1].parts) for request in calls[:-1])
    assert all(f"user: {number}: something" in shown for number in range(60))


async def test_a_model_that_reads_less_than_it_says_is_shown_less(summary_by) -> None:
    def script(request: ModelRequest) -> Reply:
        return say("Whole.") if size_of(request).total <= 900 else fail(ContextOverflow("too much"))

    summary, _ = await summary_by(script, 100_000)
    assert (summary.text, summary.step.status) == ("Whole.", "success")


async def test_parts_that_do_not_get_shorter_end_in_a_makeshift(summary_by) -> None:
    summary, _ = await summary_by(say("blah " * 3000), 1000)
    assert summary.step.status == "failed"
    assert "longer than the conversation" in summary.text or "out of order" in summary.text


async def test_a_model_that_takes_too_long_is_given_up(summary_by) -> None:
    gate = asyncio.Event()
    summary, _ = await summary_by(wait(gate, say("late")), 100_000, seconds=0.05, own=wait(gate, say("x")))
    assert "it took longer than 0.05 seconds" in summary.text
    assert summary.step.error_data == {"message": "it took longer than 0.05 seconds"}


async def test_the_agents_own_model_steps_in(summary_by) -> None:
    summary, _ = await summary_by(fail(ModelUnavailable("gone")), 100_000, own=say("Mine."))
    assert summary.text == "Mine."
    assert summary.step.model == "own"
