"""The save points of a turn, also when others write at the same moment."""

import asyncio
import contextlib

import pytest
from sqlalchemy.util import await_only
from tests.runs.rows import MINE, OTHER, run_of, step_of, stored

from perdure.agents import store as agents
from perdure.agents.prompt import Reader
from perdure.agents.store import AgentNotFound
from perdure.content.parts import Text
from perdure.db import prepared
from perdure.loop import intake, save
from perdure.loop.intake import Intake
from perdure.messages.store import Draft
from perdure.runs.leases import Hold, RunEnd, ThreadBusy


@pytest.fixture
def db(shared_database):
    return shared_database


async def accept(db, actor, agent_id, lease=MINE, text="hi"):
    run = run_of(actor, agent_id)
    step = step_of(run)
    new = Intake(actor, run, Hold(run.id, lease), step, Reader("scripted"), [Draft("user", (Text(text),))])
    return await db.write(intake.accept, new), step


@contextlib.contextmanager
def just_before(words, other):
    """Another transaction commits right before the first statement that has these words."""
    waiting, run = [other], prepared.execute

    def intervene(conn, text, *rest, **options):
        if words in text and waiting:
            await_only(waiting.pop())
        return run(conn, text, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "execute", intervene)
        yield
    assert not waiting


def said(state):
    return [row.parts[0].text for row in state.context[1:]]


async def test_of_messages_accepted_at_once_one_is_and_the_others_leave_no_trace(db, actor, agent_id):
    results = await asyncio.gather(*(accept(db, actor, agent_id) for _ in range(6)), return_exceptions=True)
    (won,) = [result for result in results if not isinstance(result, BaseException)]
    assert sum(isinstance(result, ThreadBusy) for result in results) == 5
    state, step = won
    ended = await db.write(
        save.save_end, state, step, [Draft("assistant", (Text("ho"),))], RunEnd("end_turn")
    )
    assert said(ended) == ["hi", "ho"]


async def test_a_message_accepted_as_a_turn_ends_is_placed_behind_it(db, actor, agent_id):
    if db.dialect == "sqlite":
        pytest.skip("writes queue for one thread")
    state, step = await accept(db, actor, agent_id)
    answer = Draft("assistant", (Text("ho"),))

    ending = db.write(save.save_end, state, step, [answer], RunEnd("end_turn"))
    with just_before("FROM runs", ending):
        following, _ = await accept(db, actor, agent_id, OTHER, "again")
    assert said(following) == ["hi", "ho", "again"]
    moments = [row.created_at for row in following.context]
    assert moments == sorted(set(moments))


async def test_an_agent_deleted_while_its_message_is_accepted_is_not_found(db, actor, agent_id):
    if db.dialect == "sqlite":
        pytest.skip("writes queue for one thread")

    deleting = db.write(agents.delete_agent, actor, agent_id)
    with just_before("INSERT INTO runs", deleting), pytest.raises(AgentNotFound):
        await accept(db, actor, agent_id)


async def test_a_run_that_breaks_while_it_waits_says_its_input_when_its_turn_has_come(db, actor, agent_id):
    state, step = await accept(db, actor, agent_id)
    waiting = run_of(actor, agent_id, status="created")
    drafts, held, why = [Draft("user", (Text("and"),))], Hold(waiting.id, MINE), {"error_type": "x"}
    new = Intake(actor, waiting, held, step_of(waiting), Reader("scripted"), drafts)
    await db.write(intake.enqueue, new, limit=9)
    ending = (intake.end_broken, actor, waiting, held, drafts, {**why, "message": "broken"})
    assert await db.write(*ending) is False
    assert (await stored(db, actor, waiting)).status == "created"
    await db.write(save.save_end, state, step, [], RunEnd("end_turn"))
    assert await db.write(*ending) is True
    assert (await stored(db, actor, waiting)).status == "failed"
    following, _ = await accept(db, actor, agent_id, text="next")
    assert said(following) == ["hi", "and", "next"]
