"""Runs that another process, or this one later, goes on with: all that was asked still holds."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from letta_client import ConflictError, Letta
from sqlalchemy import Connection, update
from tests.chat.conftest import Gate, until
from tests.chat.test_images import Pictures, content
from tests.chat.test_messages import new_agent, send
from tests.chat.test_queue import enqueue, named, status_of
from tests.conftest import DIALECTS, LiveServer, new_database_url, serve

from perdure.config import Settings
from perdure.content.parts import returns_of, text_of
from perdure.runs.tables import runs
from perdure.testing.oracle import refusal
from perdure.testing.scripted import ScriptedModel, call, say

EDIT = {"old_string": "Name unknown.", "new_string": "y"}


def run_of(client: Any, agent_id: str) -> str:
    return client.runs.list(agent_id=agent_id).items[0].id


def test_a_message_sent_again_after_a_crash_is_answered_with_all_that_was_said(
    client, http, live, scripted, model_name, gate, pool
):
    again = Gate()
    edit = call("memory_insert", label="human", new_string="x")
    agent = new_agent(
        client, scripted.script(model_name, edit, gate.before(say("never")), again.before(say("done")))
    )
    path, body = f"/v1/agents/{agent.id}/messages", {"messages": named("a", str(uuid.uuid4()))}
    pool.submit(http.post, path, json=body)
    assert gate.reached.wait(5)
    live.crash(run_of(client, agent.id))
    live.take_over()
    assert again.reached.wait(5)
    repeated = pool.submit(http.post, path, json=body)
    streamed = pool.submit(http.post, path, json={**body, "streaming": True})
    again.opened.set()
    kinds = [m["message_type"] for m in repeated.result(10).json()["messages"]]
    assert kinds == ["tool_call_message", "tool_return_message", "assistant_message"]
    assert streamed.result(10).text.count("tool_return_message") == 1


def test_an_interrupting_message_drops_none_that_waits(client, scripted, model_name, gate, pool):
    asking = gate.before(call("memory_insert", label="human", new_string="x"))
    rule = {"type": "requires_approval", "tool_name": "memory_insert"}
    script = scripted.script(model_name, asking, say("done"), say("b"), say("c"))
    agent = new_agent(client, script, tool_rules=[rule])
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    second = pool.submit(enqueue, client, agent.id, "b")
    until(lambda: len(status_of(client, agent.id)) == 2)
    gate.opened.set()
    request = first.result(10).messages[-1]
    third = pool.submit(enqueue, client, agent.id, "c", multitask_strategy="interrupt")
    until(lambda: len(status_of(client, agent.id)) == 3)
    word = {"type": "approval", "tool_call_id": request.tool_call.tool_call_id, "approve": False}
    client.agents.messages.create(agent.id, messages=[{"type": "approval", "approvals": [word]}])
    assert second.result(10).stop_reason.stop_reason == "end_turn"
    assert third.result(10).stop_reason.stop_reason == "end_turn"


def test_who_waits_for_an_agent_that_is_deleted_is_told(client, http, scripted, model_name, gate, pool):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two")))
    pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    body = {"input": "b", "multitask_strategy": "enqueue"}
    second = pool.submit(http.post, f"/v1/agents/{agent.id}/messages", json=body)
    until(lambda: len(status_of(client, agent.id)) == 2)
    http.delete(f"/v1/agents/{agent.id}").raise_for_status()
    gate.opened.set()
    told = second.result(8)
    assert (told.status_code, told.headers["x-should-retry"]) == (503, "false")
    assert "deleted" in told.text


def test_a_request_that_cannot_be_read_any_more_ends_its_run_and_stops_nobody(
    client, live, scripted, model_name, gate
):
    script = [scripted.script(f"{model_name}{n}", gate.before(say("x")), say("y")) for n in "ab"]
    agents = [new_agent(client, handle) for handle in script]
    ids = [client.agents.messages.create_async(agent.id, input="a").id for agent in agents]
    until(lambda: all(len(scripted.requests[f"{model_name}{n}"]) == 1 for n in "ab"))

    def spoil(conn: Connection) -> None:
        unreadable = {"user_id": None, "options": {"max_steps": "x"}}
        conn.execute(update(runs).where(runs.c.id == ids[0]).values(request=unreadable))

    live.run(spoil, write=True)
    for id in ids:
        live.crash(id)
    live.take_over()
    until(lambda: client.runs.retrieve(ids[1]).status == "completed")
    until(lambda: client.runs.retrieve(ids[0]).status == "failed")
    assert send(client, agents[0].id, "b").messages[0].content == "y"


def test_what_a_request_asked_for_holds_after_a_crash(client, http, live, scripted, model_name, gate, pool):
    edit = call("memory_insert", label="human", new_string="x")
    other = scripted.script(f"{model_name}-other", edit, gate.before(say("never")), call("theirs", q="1"))
    agent = new_agent(client, scripted.script(model_name, say("mine")))
    body = {
        "input": "a",
        "override_model": other,
        "override_system": "Be brief.",
        "client_tools": [{"name": "theirs", "parameters": {"type": "object", "properties": {}}}],
        "client_skills": [{"name": "s", "description": "d", "location": "skills/s.md"}],
        "include_compaction_messages": True,
        "max_steps": 2,
    }
    answer = pool.submit(http.post, f"/v1/agents/{agent.id}/messages", json=body)
    assert gate.reached.wait(5)
    run_id = run_of(client, agent.id)
    live.crash(run_id)
    live.take_over()
    until(lambda: client.runs.retrieve(run_id).status == "completed")
    run = client.runs.retrieve(run_id)
    assert run.stop_reason == "requires_approval"
    before, after = (scripted.requests[f"{model_name}-other"][n] for n in (1, 2))
    assert after.system == before.system
    assert after.tools == before.tools
    assert [text_of(m.parts) for m in after.messages] == [text_of(m.parts) for m in before.messages]
    told = answer.result(5).json()
    kinds = [m["message_type"] for m in told["messages"]]
    assert kinds == ["tool_call_message", "tool_return_message", "approval_request_message"]
    assert told["stop_reason"]["stop_reason"] == "requires_approval"


def test_max_steps_count_over_a_crash(client, live, scripted, model_name, gate):
    edit = call("memory_insert", label="human", new_string="x")
    agent = new_agent(client, scripted.script(model_name, edit, gate.before(say("never")), edit, edit, edit))
    run = client.agents.messages.create_async(agent.id, input="a", max_steps=3)
    assert gate.reached.wait(5)
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).status == "completed")
    assert client.runs.retrieve(run.id).stop_reason == "max_steps"
    assert client.runs.usage.retrieve(run.id).total_tokens == 330  # what the lost call cost nobody knows
    assert len(scripted.requests[model_name]) == 4


def test_the_times_of_a_run_count_from_its_first_start(client, live, scripted, model_name, gate):
    edit = call("memory_insert", label="human", new_string="x")
    agent = new_agent(client, scripted.script(model_name, edit, gate.before(say("never")), say("done")))
    run = client.agents.messages.create_async(agent.id, input="a")
    assert gate.reached.wait(5)
    time.sleep(0.4)
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).status == "completed")
    ended = client.runs.retrieve(run.id)
    lived = (ended.completed_at - ended.created_at).total_seconds() * 1e9
    assert ended.ttft_ns < 0.4e9 < ended.total_duration_ns <= lived


def test_who_came_first_is_first_in_line_however_long_its_image_takes(
    client, http, scripted, model_name, gate, pool
):
    fetched = threading.Event()

    class Slow(Pictures):
        def do_GET(self) -> None:  # noqa: N802 - the base class's name
            fetched.wait(10)
            super().do_GET()

    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two"), say("three")))
    pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        look = content(f"http://127.0.0.1:{site.server_port}/dot.png")
        extra = {"multitask_strategy": "enqueue"}
        message = [{"role": "user", "content": look}]
        slow = pool.submit(client.agents.messages.create, agent.id, messages=message, extra_body=extra)
        quick = pool.submit(enqueue, client, agent.id, "b")
        until(lambda: len(status_of(client, agent.id)) == 2)
        fetched.set()
        until(lambda: len(status_of(client, agent.id)) == 3)
        gate.opened.set()
        assert quick.result(10).messages[0].content == "two"
        assert slow.result(10).messages[0].content == "three"
        site.shutdown()


@pytest.fixture
def slow_tools(live: LiveServer) -> Iterator[Callable[[str], threading.Event]]:
    """Makes the next calls of an agent's tools hang; the event says that they have begun."""
    dispatcher = live.app.state.dispatcher
    original, hanging = dispatcher.call_all, dict[str, threading.Event]()

    async def call_all(ctx: Any, *args: Any) -> Any:
        if begun := hanging.pop(ctx.agent_id, None):
            begun.set()
            await asyncio.sleep(30)
        return await original(ctx, *args)

    dispatcher.call_all = call_all
    yield lambda agent_id: hanging.setdefault(agent_id, threading.Event())
    dispatcher.call_all = original


def told_back(scripted: ScriptedModel, name: str) -> list[tuple[str, str]]:
    """The returns that the model was told last, and how each was meant."""
    request = scripted.requests[name][-1]
    assert refusal(request.messages) is None
    return [(part.status, part.text) for message in request.messages for part in returns_of(message.parts)]


def test_only_tools_that_may_be_called_twice_are_called_again_after_a_crash(
    client, live, scripted, model_name, slow_tools
):
    both = call("memory_insert", label="human", new_string="Called Ann.") + call(
        "conversation_search", query="tea"
    )
    agent = new_agent(client, scripted.script(model_name, both, say("ok")))
    begun = slow_tools(agent.id)
    run = client.agents.messages.create_async(agent.id, input="tea, please")
    assert begun.wait(5)
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).status == "completed")
    (lost, why), (found, what) = told_back(scripted, model_name)
    assert (lost, found) == ("error", "success")
    assert "may or may not have taken effect" in why
    assert "results" in what
    assert "Called Ann." not in client.agents.blocks.retrieve("human", agent_id=agent.id).value


def test_a_reply_counts_although_a_crash_follows_it(client, live, scripted, model_name, slow_tools):
    both = call("memory_insert", label="human", new_string="x") + call(
        "memory_replace", label="human", **EDIT
    )
    rules = [{"type": "requires_approval", "tool_name": name} for name in ("memory_insert", "memory_replace")]
    settings = {"provider_type": "openai", "parallel_tool_calls": True}
    handle = scripted.script(model_name, both, say("ok"), say("on"))
    agent = new_agent(client, handle, tool_rules=rules, model_settings=settings)
    asked = send(client, agent.id).messages[-1].tool_calls
    ids = [each.tool_call_id for each in asked]
    words = [
        {"type": "approval", "tool_call_id": ids[0], "approve": True},
        {"type": "approval", "tool_call_id": ids[1], "approve": False, "reason": "too early"},
    ]
    begun = slow_tools(agent.id)
    run = client.agents.messages.create_async(agent.id, messages=[{"type": "approval", "approvals": words}])
    assert begun.wait(5)
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).status == "completed")
    (_, unknown), (_, denied) = told_back(scripted, model_name)
    assert "may or may not have taken effect" in unknown
    assert "too early" in denied
    assert send(client, agent.id, "next").messages[-1].content == "on"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_waits_for_approval_waits_through_a_restart(dialect, tmp_path):
    url, remove = new_database_url(dialect, tmp_path)
    settings = Settings.model_validate(
        {"home": tmp_path, "database": {"url": url}, "models": {"detect": False}}
    )
    edit = call("memory_insert", label="human", new_string="Called Ann.")
    model, server = ScriptedModel({"x": [edit, say("Noted.")]}), contextlib.contextmanager(serve)
    with server(settings, model) as before, Letta(base_url=before.url, max_retries=0) as client:
        rule = {"type": "requires_approval", "tool_name": "memory_insert"}
        agent = new_agent(client, "scripted/x", tool_rules=[rule])
        asked = send(client, agent.id, "I am Ann.").messages[-1].tool_call.tool_call_id
    with server(settings, model) as after, Letta(base_url=after.url, max_retries=0) as client:
        with pytest.raises(ConflictError, match="waiting for approval"):
            send(client, agent.id, "hello?")
        word = {"type": "approval", "tool_call_id": asked, "approve": True}
        reply = [{"type": "approval", "approvals": [word]}]
        answer = client.agents.messages.create(agent.id, messages=reply)
        assert answer.messages[-1].content == "Noted."
        assert "Called Ann." in client.agents.blocks.retrieve("human", agent_id=agent.id).value
    remove()


def test_a_run_that_no_process_survives_is_given_up_and_the_next_message_works(
    client, live, scripted, model_name, gate, pool
):
    deadly = [Gate() for _ in range(3)]
    replies = [each.before(say("never")) for each in deadly]
    agent = new_agent(client, scripted.script(model_name, *replies, say("back")))
    pool.submit(send, client, agent.id, "a")
    for each in deadly:
        assert each.reached.wait(5)
        live.crash(run_of(client, agent.id))
        live.take_over()
    until(lambda: status_of(client, agent.id) == ["failed"])
    assert "3 times" in client.runs.list(agent_id=agent.id).items[0].metadata["error"]["message"]
    assert send(client, agent.id, "b").messages[0].content == "back"
    for each in deadly:
        each.opened.set()
