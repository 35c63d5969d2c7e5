"""Two servers on one database: what one begins the other knows of, and goes on with."""

import json
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import Gate, until
from tests.chat.test_messages import new_agent, send
from tests.chat.test_queue import enqueue, status_of
from tests.chat.test_resume import DONE, blocks

from perdure.providers.base import ModelRateLimited
from perdure.testing.scripted import call, fail, say


@pytest.mark.parametrize("crashed", [False, True])
def test_a_run_that_is_kept_is_followed_from_elsewhere_before_it_has_said_anything(pair, gate, pool, crashed):
    one, two = pair
    silent = Gate()
    client = Letta(base_url=one.url, max_retries=0)
    handle = one.scripted.script("x", gate.before(say("one")), silent.before(say("two")))
    agent = client.agents.create(model=handle, memory_blocks=[])
    pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    if crashed:
        run_id = client.runs.list(agent_id=agent.id).items[0].id
        one.crash(run_id)
        one.take_over()
    else:
        pool.submit(enqueue, client, agent.id, "b")
        waiting = until(lambda: client.runs.list(agent_id=agent.id, statuses=["created"]).items)
        run_id = waiting[0].id
        gate.opened.set()
    assert silent.reached.wait(5)
    with httpx.stream("POST", f"{two.url}/v1/runs/{run_id}/stream", timeout=20) as far:
        assert far.status_code == 200, far.read()
        silent.opened.set()
        frames = list(blocks(far))
    assert frames[-1] == DONE
    assert "two" in "".join(frames)
    assert set(status_of(client, agent.id)) == {"completed"}


WORDS = "one two three four five six seven eight nine ten"


@pytest.fixture
def moved(pair, gate, pool):
    """Begins a turn on one server whose process then sleeps too long: the other goes on with it."""
    client = Letta(base_url=pair[0].url, max_retries=0, timeout=20)

    def begin(path: str, body: dict[str, Any], *rest: Any) -> tuple[Any, str]:
        edit = call("memory_insert", label="human", new_string="x")
        handle = pair[0].scripted.script("x", edit, gate.before(say("never")), *rest)
        agent = new_agent(client, handle)
        url = pair[0].url + path.format(agent.id)
        answer = pool.submit(httpx.post, url, json={"model": agent.id, **body}, timeout=20)
        assert gate.reached.wait(5)
        run_id = client.runs.list(agent_id=agent.id).items[0].id
        pair[0].crash(run_id)
        return answer, run_id

    return begin


MESSAGES = "/v1/agents/{}/messages"


def test_who_waits_for_a_run_that_another_server_took_over_gets_its_answer(pair, moved):
    answer, run_id = moved(MESSAGES, {"input": "hi"}, say(WORDS))
    pair[1].take_over()
    told = answer.result(10).json()
    kinds = [m["message_type"] for m in told["messages"]]
    assert kinds == ["tool_call_message", "tool_return_message", "assistant_message"]
    assert told["messages"][-1]["content"] == WORDS
    assert {m["run_id"] for m in told["messages"]} == {run_id}
    assert told["stop_reason"]["stop_reason"] == "end_turn"
    assert told["usage"]["step_count"] == 2


@pytest.mark.parametrize("tokens", [False, True])
def test_who_streams_a_run_that_another_server_took_over_reads_all_of_it_once(pair, moved, tokens):
    body = {"input": "hi", "streaming": True, "stream_tokens": tokens}
    answer, _ = moved(MESSAGES, body, say(WORDS))
    pair[1].take_over()
    lines = [line for line in answer.result(10).text.split("\n\n") if line]
    assert lines.pop() == DONE
    frames = [json.loads(line[6:]) for line in lines]
    kinds = [f["message_type"] for f in frames if f["message_type"] != "ping"]
    assert kinds[-3:] == ["assistant_message", "stop_reason", "usage_statistics"]
    assert kinds.count("tool_return_message") == 1
    assert kinds.count("assistant_message") == 1
    assert (kinds.count("tool_call_message") > 1) == tokens
    assert frames[-3]["content"] == WORDS


@pytest.mark.parametrize("stream", [False, True])
def test_clients_of_openai_get_the_answer_of_a_run_that_another_server_took_over(pair, moved, stream):
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": stream}
    answer, _ = moved("/v1/chat/completions", body, say(WORDS))
    pair[1].take_over()
    assert answer.result(10).text.count("nine") == 1


def test_who_waits_for_a_run_that_fails_elsewhere_is_told_why(pair, moved):
    answer, _ = moved(MESSAGES, {"input": "hi"}, fail(ModelRateLimited("too many requests")))
    pair[1].take_over()
    told = answer.result(10)
    assert told.status_code == 429
    assert told.headers["x-should-retry"] == "false"
    assert "too many requests" in told.text


@pytest.mark.parametrize("streaming", [False, True])
def test_who_waits_for_a_run_that_is_cancelled_elsewhere_is_told(pair, moved, streaming):
    answer, run_id = moved(MESSAGES, {"input": "hi", "streaming": streaming})
    there = Letta(base_url=pair[1].url, max_retries=0)
    agent_id = there.runs.retrieve(run_id).agent_id
    assert there.agents.messages.cancel(agent_id, run_ids=[run_id]) == {run_id: "cancelled"}
    told = answer.result(10)
    assert told.status_code == 200
    assert '"stop_reason":"cancelled"' in told.text
    assert told.text.count("tool_return_message") == 1


def test_a_reader_who_leaves_a_run_that_another_server_took_over_leaves_nothing_behind(pair, gate):
    client = Letta(base_url=pair[0].url, max_retries=0)
    again = Gate()
    agent = new_agent(client, pair[0].scripted.script("x", gate.before(say("never")), again.before(say("a"))))
    body = {"input": "hi", "streaming": True}
    with httpx.stream("POST", f"{pair[0].url}/v1/agents/{agent.id}/messages", json=body, timeout=20) as far:
        lines = blocks(far)
        assert next(lines)
        assert gate.reached.wait(5)
        run_id = client.runs.list(agent_id=agent.id).items[0].id
        pair[0].crash(run_id)
        pair[1].take_over()
        until(lambda: f"replay of {run_id}" in pair[0].tasks())
    until(lambda: f"replay of {run_id}" not in pair[0].tasks())
    assert client.runs.retrieve(run_id).status == "running"
    again.opened.set()
    until(lambda: client.runs.retrieve(run_id).status == "completed")


def asks(scripted, name: str, other: list[str], before: Any) -> Any:
    """A script that asks an agent whose id is known later, waits for the answer, and is done."""

    def script(request: Any) -> Any:
        if request.messages[-1].role == "tool":
            return say("done")
        asked = "send_message_to_agent_and_wait_for_reply"
        return before(call(asked, message="?", other_agent_id=other[0]))

    return scripted.script(name, script)


def test_agents_on_two_servers_that_ask_each_other_do_not_wait_for_ever(pair, pool):
    clients = [Letta(base_url=each.url, max_retries=0, timeout=20) for each in pair]
    gates, ids = (Gate(), Gate()), ([""], [""])
    extra = {"include_multi_agent_tools": True}
    ann, bob = (
        clients[0].agents.create(model=asks(pair[0].scripted, name, other, gate.before), extra_body=extra)
        for name, other, gate in (("ann", ids[0], gates[0]), ("bob", ids[1], gates[1]))
    )
    ids[0][0], ids[1][0] = bob.id, ann.id
    answers = [
        pool.submit(send, client, agent.id, "go") for client, agent in zip(clients, (ann, bob), strict=True)
    ]
    for gate in gates:
        assert gate.reached.wait(5)
    for gate in gates:
        gate.opened.set()
    told = [answer.result(20) for answer in answers]
    assert [each.stop_reason.stop_reason for each in told] == ["end_turn"] * 2
    assert "would never end" in str([each.messages for each in told])


def test_an_agent_whose_server_dies_while_it_waits_for_another_goes_on(pair, gate, pool):
    one, two = pair
    client = Letta(base_url=one.url, max_retries=0, timeout=20)
    ann = client.agents.create(model=one.scripted.script("ann", gate.before(say("late"))))
    model = asks(one.scripted, "bob", [ann.id], lambda reply: reply)
    bob = client.agents.create(model=model, extra_body={"include_multi_agent_tools": True})
    answer = pool.submit(send, client, bob.id, "go")
    assert gate.reached.wait(5)
    one.crash(client.runs.list(agent_id=bob.id).items[0].id)
    two.take_over()
    told = answer.result(10)
    (returned,) = [m for m in told.messages if m.message_type == "tool_return_message"]
    assert "interrupted before its outcome" in returned.tool_return
    assert told.messages[-1].content == "done"
    gate.opened.set()
    until(lambda: status_of(client, ann.id) == ["completed"])
