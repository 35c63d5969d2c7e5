"""A message while another is worked on: refused, in line, or first. And the same message twice."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, ConflictError, Letta
from sqlalchemy import Connection, select, update
from tests.chat.conftest import Gate, until
from tests.chat.test_messages import new_agent, send

from perdure.agents.tables import agents
from perdure.content.parts import text_of
from perdure.kit.clock import now
from perdure.providers.base import ModelRateLimited
from perdure.runs.tables import runs
from perdure.testing.oracle import refusal
from perdure.testing.scripted import ScriptedModel, call, fail, say


def status_of(client: Letta, agent_id: str) -> list[str]:
    return [run.status for run in client.runs.list(agent_id=agent_id, order="asc")]


def history(client: Letta, agent_id: str) -> list[tuple[str, Any]]:
    listed = client.agents.messages.list(agent_id, order="asc", limit=200)
    kinds = {"user_message": "user", "assistant_message": "agent"}
    return [(kinds[m.message_type], m.content) for m in listed if m.message_type in kinds]


def check_told(scripted: ScriptedModel, name: str) -> None:
    for request in scripted.requests[name]:
        assert refusal(request.messages) is None


def enqueue(client: Letta, agent_id: str, text: str, **options: Any) -> Any:
    extra = {"multitask_strategy": "enqueue", **options}
    return client.agents.messages.create(agent_id, input=text, extra_body=extra)


def test_a_message_that_waits_is_answered_in_its_turn(client, scripted, model_name, gate, pool):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two"), say("three")))
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    second = pool.submit(enqueue, client, agent.id, "b")
    until(lambda: status_of(client, agent.id) == ["running", "created"])
    third = pool.submit(enqueue, client, agent.id, "c")
    until(lambda: status_of(client, agent.id) == ["running", "created", "created"])
    with pytest.raises(ConflictError, match="another request is currently being processed"):
        send(client, agent.id, "refused")
    assert history(client, agent.id) == [("user", "a")]
    gate.opened.set()
    answers = [done.result(10).messages[0].content for done in (first, second, third)]
    assert answers == ["one", "two", "three"]
    said = [
        ("user", "a"),
        ("agent", "one"),
        ("user", "b"),
        ("agent", "two"),
        ("user", "c"),
        ("agent", "three"),
    ]
    assert history(client, agent.id) == said
    assert status_of(client, agent.id) == ["completed"] * 3
    check_told(scripted, model_name)


def test_an_interrupting_message_stops_the_turn_and_keeps_what_was_said(
    client, scripted, model_name, gate, pool
):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("late")), say("here")))
    first = pool.submit(send, client, agent.id, "long story")
    assert gate.reached.wait(5)
    answer = enqueue(client, agent.id, "stop, listen", multitask_strategy="interrupt")
    assert answer.messages[0].content == "here"
    assert first.result(10).stop_reason.stop_reason == "cancelled"
    assert status_of(client, agent.id) == ["cancelled", "completed"]
    assert history(client, agent.id)[0] == ("user", "long story")
    check_told(scripted, model_name)


def test_an_agent_may_have_its_own_policy_and_a_request_another(
    client, http, scripted, model_name, gate, pool
):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two")))
    changed = http.patch(f"/v1/agents/{agent.id}", json={"multitask_strategy": "enqueue"}).json()
    assert changed["multitask_strategy"] == "enqueue"
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    with pytest.raises(ConflictError):
        enqueue(client, agent.id, "no", multitask_strategy="reject")
    second = pool.submit(send, client, agent.id, "b")
    until(lambda: len(status_of(client, agent.id)) == 2)
    gate.opened.set()
    assert first.result(10).messages[0].content == "one"
    assert second.result(10).messages[0].content == "two"
    answer = http.patch(f"/v1/agents/{agent.id}", json={"multitask_strategy": "later"})
    assert answer.status_code == 422
    assert "multitask_strategy" in answer.text


def test_sending_in_the_background_answers_with_the_run_at_once(client, scripted, model_name, gate):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two")))
    first = client.agents.messages.create_async(agent.id, messages=[{"role": "user", "content": "a"}])
    assert (first.status, first.background, first.metadata["run_type"]) == (
        "running",
        True,
        "send_message_async",
    )
    second = client.agents.messages.create_async(agent.id, messages=[{"role": "user", "content": "b"}])
    assert second.status == "created"
    gate.opened.set()
    until(lambda: status_of(client, agent.id) == ["completed", "completed"])
    assert [m.content for m in client.runs.messages.list(second.id)] == ["b", "two"]
    assert history(client, agent.id)[2:] == [("user", "b"), ("agent", "two")]


def test_a_message_in_line_is_kept_although_its_turn_breaks_before_it_begins(
    client, live, scripted, model_name, gate, pool
):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("three")))
    pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    second = pool.submit(enqueue, client, agent.id, "b")
    until(lambda: len(status_of(client, agent.id)) == 2)

    def set_rules(conn: Connection, *rules: Any) -> None:
        conn.execute(update(agents).where(agents.c.id == agent.id).values(tool_rules=list(rules)))

    live.run(set_rules, {"type": "of another kind"}, write=True)  # past all checks: what nobody expects
    gate.opened.set()
    with pytest.raises(APIStatusError, match="unknown error") as told:
        second.result(10)
    assert told.value.response.headers["x-should-retry"] == "false"
    live.run(set_rules, write=True)
    assert status_of(client, agent.id)[1] == "failed"
    assert send(client, agent.id, "c").messages[0].content == "three"
    assert history(client, agent.id) == [
        ("user", "a"),
        ("agent", "one"),
        ("user", "b"),
        ("user", "c"),
        ("agent", "three"),
    ]
    check_told(scripted, model_name)


def test_a_message_in_line_is_kept_although_its_options_cannot_be_read_any_more(
    client, live, scripted, model_name, gate
):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("three")))
    first = client.agents.messages.create_async(agent.id, input="a")
    assert gate.reached.wait(5)
    second = client.agents.messages.create_async(agent.id, input="b")

    def spoil(conn: Connection) -> None:
        stored = conn.execute(select(runs.c.request).where(runs.c.id == second.id)).scalar_one()
        unreadable = {**stored, "options": {"max_steps": "x"}}
        conn.execute(update(runs).where(runs.c.id == second.id).values(request=unreadable))

    live.run(spoil, write=True)
    live.crash(second.id)
    live.take_over()
    gate.opened.set()
    until(lambda: client.runs.retrieve(second.id).status == "failed")
    assert client.runs.retrieve(first.id).status == "completed"
    assert history(client, agent.id) == [("user", "a"), ("agent", "one"), ("user", "b")]
    assert send(client, agent.id, "c").messages[0].content == "three"
    check_told(scripted, model_name)


def test_a_message_in_line_can_be_withdrawn(client, scripted, model_name, gate, pool):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("three")))
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    second = pool.submit(enqueue, client, agent.id, "b")
    until(lambda: status_of(client, agent.id) == ["running", "created"])
    waiting = client.runs.list(agent_id=agent.id).items[0].id
    assert client.agents.messages.cancel(agent.id, run_ids=[waiting]) == {waiting: "cancelled"}
    assert second.result(5).stop_reason.stop_reason == "cancelled"
    gate.opened.set()
    first.result(10)
    assert send(client, agent.id, "c").messages[0].content == "three"
    assert ("user", "b") not in history(client, agent.id)


def test_a_message_in_line_waits_for_an_approval_and_the_reply_goes_first(
    client, http, scripted, model_name, gate, pool
):
    asking = gate.before(call("memory_insert", label="human", new_string="x"))
    agent = new_agent(client, scripted.script(model_name, asking, say("done"), say("later")))
    client.agents.tools.update_approval("memory_insert", agent_id=agent.id, body_requires_approval=True)
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    second = pool.submit(enqueue, client, agent.id, "b")
    until(lambda: status_of(client, agent.id) == ["running", "created"])
    gate.opened.set()
    asked = first.result(10).messages[-1]
    assert asked.message_type == "approval_request_message"
    word = {"type": "approval", "tool_call_id": asked.tool_call.tool_call_id, "approve": False}
    reply = {"type": "approval", "approvals": [word]}
    answer = client.agents.messages.create(agent.id, messages=[reply])
    assert answer.messages[-1].content == "done"
    assert second.result(10).messages[-1].content == "later"
    check_told(scripted, model_name)


def test_a_message_whose_model_is_gone_when_its_turn_comes_is_kept(
    client, http, scripted, model_name, gate, pool
):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("back")))
    made = http.post(
        "/v1/providers/",
        json={"name": "own", "provider_type": "openai", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"},
    ).json()
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    second = pool.submit(
        http.post,
        f"/v1/agents/{agent.id}/messages",
        json={"input": "b", "multitask_strategy": "enqueue", "override_model": "own/m"},
    )
    until(lambda: len(status_of(client, agent.id)) == 2 or second.done())
    assert not second.done(), second.result().text
    http.delete(f"/v1/providers/{made['id']}").raise_for_status()
    gate.opened.set()
    first.result(10)
    assert second.result(10).status_code == 404
    assert status_of(client, agent.id) == ["completed", "failed"]
    assert history(client, agent.id)[-1] == ("user", "b")
    assert send(client, agent.id, "c").messages[0].content == "back"


def named(text: str, otid: str) -> list[Any]:
    return [{"role": "user", "content": text, "otid": otid}]


def test_the_same_message_twice_is_answered_once(client, http, scripted, model_name):
    agent = new_agent(client, scripted.script(model_name, say("one"), say("two")))
    otid = str(uuid.uuid4())
    path, body = f"/v1/agents/{agent.id}/messages", {"messages": named("a", otid)}
    first, again = (http.post(path, json=body).json() for _ in range(2))
    assert again["messages"][0]["content"] == first["messages"][0]["content"] == "one"
    assert again["messages"][0]["id"] == first["messages"][0]["id"]
    assert again["usage"] == first["usage"]
    streamed = http.post(path, json={**body, "streaming": True}).text
    assert '"content":"one"' in streamed
    assert streamed.endswith("data: [DONE]\n\n")
    assert len(status_of(client, agent.id)) == 1
    assert (
        http.post(path, json={"messages": named("a", str(uuid.uuid4()))}).json()["messages"][0]["content"]
        == "two"
    )


def test_the_same_message_while_it_is_worked_on_or_in_line_joins_its_run(
    client, http, scripted, model_name, gate, pool
):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two")))
    path = f"/v1/agents/{agent.id}/messages"
    a, b = ({"messages": named(text, str(uuid.uuid4()))} for text in "ab")
    ask: Callable[[Any], Any] = lambda body: pool.submit(http.post, path, json=body)  # noqa: E731
    first = ask(a)
    assert gate.reached.wait(5)
    waiting = ask({**b, "multitask_strategy": "enqueue"})
    until(lambda: len(status_of(client, agent.id)) == 2)
    joined = [ask(a), ask({**b, "multitask_strategy": "enqueue"})]
    gate.opened.set()
    texts = [done.result(10).json()["messages"][0]["content"] for done in (first, waiting, *joined)]
    assert texts == ["one", "two", "one", "two"]
    assert len(scripted.requests[model_name]) == 2
    assert [text_of(m.parts) for m in scripted.requests[model_name][-1].messages] == ["a", "one", "b"]


def test_a_failed_message_that_comes_again_tells_of_its_failure(
    client, http: httpx.Client, scripted, model_name
):
    agent = new_agent(client, scripted.script(model_name, fail(ValueError("broken")), say("ok")))
    path, body = f"/v1/agents/{agent.id}/messages", {"messages": named("a", "name-1")}
    assert http.post(path, json=body).status_code == 500
    again = http.post(path, json=body)
    assert (again.status_code, again.headers["x-should-retry"]) == (500, "false")
    assert "event: error" in http.post(path, json={**body, "streaming": True}).text
    assert send(client, agent.id, "b").messages[0].content == "ok"


def test_a_failure_of_the_provider_is_told_alike_when_the_message_comes_again(
    client, http: httpx.Client, scripted, model_name
):
    agent = new_agent(client, scripted.script(model_name, fail(ModelRateLimited("Slow down."))))
    path, body = f"/v1/agents/{agent.id}/messages", {"messages": named("a", "name-1")}
    first, again = (http.post(path, json=body) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.status_code == 429


def test_a_message_in_line_outlives_any_number_of_crashes(client, live, scripted, model_name, gate, pool):
    asking = gate.before(call("memory_insert", label="human", new_string="x"))
    rule = {"type": "requires_approval", "tool_name": "memory_insert"}
    slow = Gate()
    script = scripted.script(model_name, asking, say("no"), slow.before(say("lost")), say("done"))
    agent = new_agent(client, script, tool_rules=[rule])
    first = pool.submit(send, client, agent.id, "ask first")
    assert gate.reached.wait(5)
    in_line = client.agents.messages.create_async(agent.id, input="and then")
    gate.opened.set()
    request = first.result(10).messages[-1]
    for _ in range(5):
        live.crash(in_line.id)
        live.take_over()
        assert client.runs.retrieve(in_line.id).status == "created"
    word = {"type": "approval", "tool_call_id": request.tool_call.tool_call_id, "approve": False}
    client.agents.messages.create(agent.id, messages=[{"type": "approval", "approvals": [word]}])
    assert slow.reached.wait(15)
    live.crash(in_line.id)  # the first time that it is worked on: no reason to give it up
    live.take_over()
    until(lambda: client.runs.retrieve(in_line.id).status == "completed")
    assert history(client, agent.id)[-2:] == [("user", "and then"), ("agent", "done")]
    check_told(scripted, model_name)


def test_a_server_that_slept_keeps_its_own_runs(client, live, scripted, model_name, gate, pool):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one"))))
    answer = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    live.run(let_leases_run_out, agent.id, write=True)
    live.take_over()
    gate.opened.set()
    assert answer.result(10).messages[0].content == "one"
    assert len(scripted.requests[model_name]) == 1


def let_leases_run_out(conn: Connection, agent_id: str) -> None:
    conn.execute(update(runs).where(runs.c.agent_id == agent_id).values(lease_expires=now()))


def test_of_the_same_messages_that_wait_one_is_kept(client, scripted, model_name, gate, pool):
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one")), say("two")))
    first = pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    said = [{"role": "user", "content": "b", "otid": str(uuid.uuid4())}]
    extra = {"multitask_strategy": "enqueue"}
    waiting = [
        pool.submit(client.agents.messages.create, agent.id, messages=said, extra_body=extra)
        for _ in range(5)
    ]
    until(lambda: len(status_of(client, agent.id)) == 2)
    gate.opened.set()
    assert first.result(10).messages[0].content == "one"
    assert {answer.result(10).messages[0].content for answer in waiting} == {"two"}
    assert history(client, agent.id)[2:] == [("user", "b"), ("agent", "two")]


def test_who_is_refused_while_calls_wait_is_refused_after_a_crash_too(
    client, http, live, scripted, model_name, gate, pool
):
    asking = gate.before(call("memory_insert", label="human", new_string="x"))
    agent = new_agent(
        client,
        scripted.script(model_name, asking),
        tool_rules=[{"type": "requires_approval", "tool_name": "memory_insert"}],
    )
    path = f"/v1/agents/{agent.id}/messages"
    first = pool.submit(http.post, path, json={"input": "ask first"})
    assert gate.reached.wait(5)
    live.crash(client.runs.list(agent_id=agent.id).items[0].id)
    second = pool.submit(http.post, path, json={"input": "and then"})
    until(lambda: len(status_of(client, agent.id)) == 2)
    gate.opened.set()
    assert second.result(10).status_code == 409
    assert second.result().json()["detail"]["code"] == "PENDING_APPROVAL"
    assert ("user", "and then") not in history(client, agent.id)
    assert first.result(10).json()["stop_reason"]["stop_reason"] == "requires_approval"
