"""Runs that another process, or this one later, goes on with: all that was asked still holds."""

import threading
import uuid
from http.server import ThreadingHTTPServer
from typing import Any

from sqlalchemy import Connection, update
from tests.chat.conftest import Gate, until
from tests.chat.test_images import Pictures, content
from tests.chat.test_messages import new_agent, send
from tests.chat.test_queue import enqueue, named, status_of

from perdure.content.parts import text_of
from perdure.runs.tables import runs
from perdure.testing.scripted import call, say


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
    assert answer.result(5).status_code == 503  # its own process is gone


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
