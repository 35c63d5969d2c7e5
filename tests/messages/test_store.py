"""Threads and their messages in the database."""

from datetime import timedelta

import pytest

from perdure.content.parts import Image, Reasoning, Text, ToolCall, ToolReturn
from perdure.kit import clock
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import new_id
from perdure.messages import store
from perdure.messages.store import Draft
from perdure.tenancy.actor import Actor

STRANGER = Actor("org-2")


@pytest.fixture
def db(shared_database):
    return shared_database


async def thread_of(db, actor, agent_id):
    return await db.read(store.get_thread, actor, agent_id)


async def say(db, actor, agent_id, *texts):
    drafts = [Draft("user", (Text(text),)) for text in texts]
    thread = await thread_of(db, actor, agent_id)
    return (await db.write(store.append, thread, drafts))[1]


async def test_messages_come_back_as_they_were_stored(db, actor, agent_id):
    parts = (
        Reasoning("hm", "sig", vendor="openai"),
        Text("Look:"),
        Image("image/png", "iVBORw0KGgo="),
        ToolCall("c", "search", '{"q": "x"}'),
        ToolReturn("c", "search", "found", "error", ("out",), ("err",)),
    )
    draft = Draft("assistant", parts, name="Ann", otid="o", sender_id="s", group_id="g", is_err=True)
    thread = await thread_of(db, actor, agent_id)
    (row,) = (await db.write(store.append, thread, [draft]))[1]
    assert await db.read(store.get, actor, row.id) == row
    assert row.parts == parts
    assert (await db.read(store.context, agent_id))[-1] == row


async def test_what_neither_database_can_hold_is_left_out(db, actor, agent_id):
    parts = (
        Text("a\x00b\ud800"),
        Reasoning("\x00", "s\x00"),
        ToolReturn("c", "t", "half \ud83d", "error", ("\x00",), ("\udfff!",)),
        ToolCall("c\x00", "t", '{"x": "\ud800"}'),
    )
    thread = await thread_of(db, actor, agent_id)
    draft = Draft("assistant", parts, name="A\x00nn", otid="\ud800o", sender_id="\x00")
    (row,) = (await db.write(store.append, thread, [draft]))[1]
    assert await db.read(store.get, actor, row.id) == row
    assert row.parts == (
        Text("ab"),
        Reasoning("", "s"),
        ToolReturn("c", "t", "half ", "error", ("",), ("!",)),
        ToolCall("c", "t", '{"x": ""}'),
    )
    assert (row.name, row.otid, row.sender_id) == ("Ann", "o", "")


async def test_time_in_a_thread_only_goes_forward(db, actor, agent_id, monkeypatch):
    (first,) = await say(db, actor, agent_id, "one")
    monkeypatch.setattr(store, "now", lambda: clock.now() - timedelta(days=1))
    rows = await say(db, actor, agent_id, "two", "three")
    moments = [first.created_at, *(row.created_at for row in rows)]
    assert moments == sorted(set(moments))
    assert [row.id for row in await db.read(store.context, agent_id)][1:] == [first.id, *(r.id for r in rows)]


async def test_appending_nothing_changes_nothing(db, actor, agent_id):
    thread = await thread_of(db, actor, agent_id)
    assert await db.write(store.append, thread, []) == (thread, [])


async def test_a_context_can_be_chosen_and_said_on(db, actor, agent_id):
    system = (await db.read(store.context_ids, agent_id))[0]
    one, two, three = [row.id for row in await say(db, actor, agent_id, "1", "2", "3")]
    thread = await thread_of(db, actor, agent_id)
    await db.write(store.set_context, thread, [system, three, one])
    assert await db.read(store.context_ids, agent_id) == [system, three, one]
    (four,) = await say(db, actor, agent_id, "4")
    assert await db.read(store.context_ids, agent_id) == [system, three, one, four.id]
    await db.write(store.set_context, thread, [])
    assert await db.read(store.context_ids, agent_id) == []
    assert await db.read(store.count, actor, agent_id) == 5
    assert (await db.read(store.get, actor, two)).parts == (Text("2"),)


async def test_a_context_that_grows_under_a_turn_leaves_it_room(db, actor, agent_id):
    ids = [row.id for row in await say(db, actor, agent_id, *"12345678")]
    await db.write(store.set_context, await thread_of(db, actor, agent_id), [])
    await db.write(store.set_context, await thread_of(db, actor, agent_id), ids[:1])
    at_work = await thread_of(db, actor, agent_id)
    await db.write(store.set_context, await thread_of(db, actor, agent_id), ids)
    (said,) = (await db.write(store.append, at_work, [Draft("user", (Text("9"),))]))[1]
    assert await db.read(store.context_ids, agent_id) == [*ids, said.id]


async def test_a_context_holds_messages_of_its_agent_once(db, actor, agent_id):
    (row,) = await say(db, actor, agent_id, "1")
    thread = await thread_of(db, actor, agent_id)
    with pytest.raises(InvalidArgument, match="no message message-x"):
        await db.write(store.set_context, thread, [row.id, "message-x"])
    with pytest.raises(InvalidArgument, match="only once"):
        await db.write(store.set_context, thread, [row.id, row.id])


async def test_the_compiled_prompt_is_the_first_message(db, actor, agent_id):
    assert await db.read(store.prompt_of, agent_id) == ("Be kind.", "mark")
    await db.write(store.save_prompt, agent_id, "Be brief.", "mark 2")
    assert await db.read(store.prompt_of, agent_id) == ("Be brief.", "mark 2")
    (system,) = await db.read(store.context, agent_id)
    assert (system.role, system.parts) == ("system", (Text("Be brief."),))
    assert await db.read(store.prompt_of, "agent-x") is None


async def test_another_organization_sees_nothing(db, actor, agent_id):
    (row,) = await say(db, actor, agent_id, "1")
    for work, id in ((store.get, row.id), (store.get_thread, agent_id)):
        with pytest.raises(NotFound):
            await db.read(work, STRANGER, id)
    assert await db.read(store.count, STRANGER, agent_id) == 0


async def test_the_tools_of_a_run_are_named_by_step(db, actor, agent_id):
    run_id, step_id = new_id("run"), new_id("step")
    first = tuple(ToolReturn(str(i), name, "x") for i, name in enumerate(("b", "a", "b")))
    drafts = [Draft("tool", first, run_id=run_id, step_id=step_id), Draft("tool", first[:1], run_id=run_id)]
    await db.write(store.append, await thread_of(db, actor, agent_id), drafts)
    assert await db.read(store.tools_by_step, actor, run_id) == {step_id: ["b", "a", "b"], "": ["b"]}
    assert await db.read(store.tools_by_step, STRANGER, run_id) == {}
