"""Agents that write to one another, each with a model of its own."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from letta_client import Letta
from tests.chat.conftest import until
from tests.chat.test_messages import new_agent, send
from tests.conftest import LiveServer

from perdure.chat.correspondence import Correspondence, answer_in
from perdure.chat.schemas import StopReason
from perdure.chat.settings import MultiagentSettings
from perdure.chat.tools import TOOLS
from perdure.content.parts import text_of
from perdure.providers.base import ModelRateLimited, ModelRequest
from perdure.testing.scripted import Reply, ScriptedModel, call, fail, say
from perdure.tools.base import bound

ASK, TELL = "send_message_to_agent_and_wait_for_reply", "send_message_to_agent_async"
TAGGED = "send_message_to_agents_matching_tags"


@pytest.fixture
def agent(client: Letta, scripted: ScriptedModel):
    """A function that makes an agent by its replies: it may write to others."""

    def make(*replies: Any, **fields: Any) -> Any:
        model = scripted.script(uuid.uuid4().hex, *replies)
        return new_agent(client, model, extra_body={"include_multi_agent_tools": True}, **fields)

    return make


def told(request: ModelRequest) -> str:
    return text_of(request.messages[-1].parts)


def asked(scripted: ScriptedModel, agent: Any) -> list[ModelRequest]:
    return scripted.requests[agent.model.partition("/")[2]]


def returned(answer: Any) -> tuple[str, Any]:
    """The status and the value of the only tool's return in an answer."""
    (found,) = [m for m in answer.messages if m.message_type == "tool_return_message"]
    try:
        return found.status, json.loads(found.tool_return)
    except ValueError:
        return found.status, found.tool_return


def test_the_three_tools_come_on_demand(client, agent):
    names = {tool.name for tool in agent(say("x")).tools}
    assert {ASK, TAGGED, TELL} < names
    tool = next(t for t in client.tools.list(name=ASK))
    assert (tool.tool_type, tool.json_schema["parameters"]["required"]) == (
        "letta_multi_agent_core",
        ["message", "other_agent_id"],
    )


def test_an_agent_asks_another_and_is_given_its_answer(client, agent, scripted):
    ann = agent(call("memory_insert", label="human", new_string="x"), say("It is 42."))
    bob = agent(call(ASK, message="What is it?", other_agent_id=ann.id), say("Ann says 42."))
    answer = send(client, bob.id)
    assert returned(answer) == ("success", {"agent_id": ann.id, "response": ["It is 42."]})
    assert answer.messages[-1].content == "Ann says 42."
    heard = told(asked(scripted, ann)[0])
    assert bob.id in heard
    assert heard.endswith("What is it?")
    first = next(m for m in client.agents.messages.list(ann.id, order="asc") if "What is it?" in str(m))
    assert (first.message_type, first.sender_id) == ("system_message", bob.id)


def test_the_run_it_causes_says_who_asked(client, agent):
    ann = agent(say("Yes."))
    bob = agent(call(ASK, message="So?", other_agent_id=ann.id), say("."))
    send(client, bob.id)
    (mine,), (hers,) = client.runs.list(agent_id=bob.id), client.runs.list(agent_id=ann.id)
    assert hers.metadata == {
        "run_type": "send_message_to_agent",
        "sender_agent_id": bob.id,
        "sender_run_id": mine.id,
        "awaited_by": mine.id,
        "hops": 1,
    }


def test_an_agent_tells_another_and_goes_on(client, agent, scripted, gate):
    ann = agent(gate.before(say("Noted.")))
    bob = agent(call(TELL, message="By the way.", other_agent_id=ann.id), say("Told."))
    assert returned(send(client, bob.id)) == ("success", f"The message was sent to {ann.id}.")
    assert gate.reached.wait(5)
    gate.opened.set()
    until(lambda: [run.status for run in client.runs.list(agent_id=ann.id)] == ["completed"])
    (run,) = client.runs.list(agent_id=ann.id)
    assert run.background
    assert "By the way." in told(asked(scripted, ann)[0])


def test_an_agent_of_an_older_type_answers_by_its_message_tool(client, agent):
    ann = agent(call("send_message", message="Aloud."), agent_type="memgpt_v2_agent")
    bob = agent(call(ASK, message="?", other_agent_id=ann.id), say("."))
    assert returned(send(client, bob.id)) == ("success", {"agent_id": ann.id, "response": ["Aloud."]})


def test_all_agents_with_the_tags_are_asked(client, agent, scripted):
    ann = agent(say("ann"), tags=["crew", "deck"])
    eve = agent(say("eve"), tags=["crew", "bridge"])
    ill = agent(fail(ModelRateLimited("later")), tags=["crew", "deck"])
    out = agent(say("out"), tags=["crew"])
    arguments = {"message": "Report.", "match_all": ["crew"], "match_some": ["deck", "bridge"]}
    bob = agent(call(TAGGED, **arguments), say("."), tags=["crew", "deck"])
    status, answers = returned(send(client, bob.id))
    assert status == "success"
    assert answers[:2] == [
        {"agent_id": ann.id, "response": ["ann"]},
        {"agent_id": eve.id, "response": ["eve"]},
    ]
    assert (answers[2]["agent_id"], "later" in answers[2]["error"], len(answers)) == (ill.id, True, 3)
    assert asked(scripted, out) == []


def test_tags_that_nobody_has_and_no_tags_at_all(client, agent):
    nobody = agent(call(TAGGED, message="x", match_all=[], match_some=["none"]), say("."))
    assert returned(send(client, nobody.id)) == (
        "success",
        "No other agent has these tags; nothing was sent.",
    )
    status, text = returned(
        send(client, agent(call(TAGGED, message="x", match_all=[], match_some=[]), say(".")).id)
    )
    assert status == "error"
    assert "name at least one tag" in text


def test_agents_of_other_organizations_are_out_of_reach(live: LiveServer, agent, client, new_key, scripted):
    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as other:
        theirs = other.agents.create(model=scripted.script(uuid.uuid4().hex, say("x")), tags=["shared"])
    bob = agent(
        call(ASK, message="x", other_agent_id=theirs.id),
        call(TELL, message="x", other_agent_id=theirs.id),
        call(TAGGED, message="x", match_all=["shared"], match_some=[]),
        say("."),
    )
    found = [m for m in send(client, bob.id).messages if m.message_type == "tool_return_message"]
    assert [m.status for m in found] == ["error", "error", "success"]
    assert theirs.id in found[0].tool_return
    assert found[2].tool_return.startswith("No other agent")
    assert asked(scripted, theirs) == []


@pytest.mark.parametrize("target", ["ann", "conv-1", "agent-x"])
def test_what_is_no_id_of_an_agent_is_said_so(client, agent, target):
    status, text = returned(send(client, agent(call(ASK, message="x", other_agent_id=target), say(".")).id))
    assert status == "error"
    assert "is no id of an agent" in text


def asks_once(other: list[str], then: str, before: Callable[[Reply], Reply] = lambda reply: reply) -> Any:
    """A script that asks an agent whose id is known later, and then says something."""

    def script(request: ModelRequest) -> Reply:
        if request.messages[-1].role == "tool":
            return say(then)
        return before(call(ASK, message="?", other_agent_id=other[0]))

    return script


def test_nobody_writes_to_itself(client, agent):
    me: list[str] = []
    bob = agent(asks_once(me, "."))
    me.append(bob.id)
    status, text = returned(send(client, bob.id))
    assert (status, "your own id" in text) == ("error", True)


def test_a_circle_of_agents_that_wait_is_told_and_broken(client, agent):
    """Ann asks Bob, who asks Eve, who asks Ann: Eve is told, and all three answer."""
    first: list[str] = []
    eve = agent(asks_once(first, "Ann does not answer."))
    bob = agent(call(ASK, message="?", other_agent_id=eve.id), say("Eve had no luck."))
    ann = agent(call(ASK, message="?", other_agent_id=bob.id), say("I see."))
    first.append(ann.id)
    answer = send(client, ann.id)
    assert returned(answer)[1]["response"] == ["Eve had no luck."]
    listed = client.agents.messages.list(eve.id, order="asc")
    (failed,) = [m for m in listed if m.message_type == "tool_return_message"]
    assert "would never end" in failed.tool_return
    runs = [run.status for run in client.runs.list(agent_id=ann.id, order="asc")]
    assert runs == ["completed", "cancelled"]
    assert len(client.agents.messages.list(ann.id, order="asc").items) == 5


def test_two_agents_that_ask_each_other_at_once_do_not_wait_for_ever(client, agent, gate, pool):
    ids = [""]
    bob = agent(asks_once(ids, "done", gate.before))
    ann = agent(call(ASK, message="?", other_agent_id=bob.id), say("done"))
    ids[0] = ann.id
    first = pool.submit(send, client, bob.id)
    assert gate.reached.wait(5)
    second = pool.submit(send, client, ann.id)
    until(lambda: len(client.runs.list(agent_id=bob.id).items) == 2)
    gate.opened.set()
    answers = [first.result(15), second.result(15)]
    assert [answer.stop_reason.stop_reason for answer in answers] == ["end_turn"] * 2
    assert any("would never end" in str(returned(answer)[1]) for answer in answers)


def test_a_busy_agent_is_waited_for(client, agent, gate, pool):
    ann = agent(gate.before(say("first")), say("second"))
    bob = agent(call(ASK, message="?", other_agent_id=ann.id), say("."))
    busy = pool.submit(send, client, ann.id)
    assert gate.reached.wait(5)
    asking = pool.submit(send, client, bob.id)
    until(lambda: len(client.runs.list(agent_id=ann.id).items) == 2)
    gate.opened.set()
    assert returned(asking.result(10)) == ("success", {"agent_id": ann.id, "response": ["second"]})
    busy.result(10)


@pytest.fixture
def hurried(live: LiveServer):
    """Nobody waits long, or reaches many."""
    app = live.app.state
    settings = MultiagentSettings(reply_seconds=0.3, most_recipients=2)
    app.dispatcher.add(bound(TOOLS, Correspondence(app.sender, settings)))
    yield
    app.dispatcher.add(bound(TOOLS, Correspondence(app.sender, app.settings.multiagent)))


def test_who_has_waited_long_enough_goes_on(client, agent, gate, pool, hurried):
    ann = agent(gate.before(say("first")), say("second"))
    bob = agent(
        call(ASK, message="one", other_agent_id=ann.id),
        call(ASK, message="two", other_agent_id=ann.id),
        say("."),
    )
    found = [m for m in send(client, bob.id).messages if m.message_type == "tool_return_message"]
    assert [m.status for m in found] == ["error", "error"]
    assert "It was told and goes on working" in found[0].tool_return
    assert "did not come to your message" in found[1].tool_return
    assert not any("awaited_by" in r.metadata for r in client.runs.list(agent_id=ann.id))
    gate.opened.set()
    until(lambda: {r.status for r in client.runs.list(agent_id=ann.id)} == {"completed", "cancelled"})
    said = str(client.agents.messages.list(ann.id).items)
    assert "one" in said
    assert "two" not in said


def test_more_agents_than_may_be_reached_are_not_reached_at_all(client, agent, scripted, hurried):
    crew = [agent(say("aye"), tags=["crew"]) for _ in range(3)]
    bob = agent(call(TAGGED, message="x", match_all=["crew"], match_some=[]), say("."), tags=["crew"])
    status, text = returned(send(client, bob.id))
    assert (status, "More than 2 agents" in text) == ("error", True)
    assert [asked(scripted, each) for each in crew] == [[], [], []]


def test_who_is_cancelled_waits_no_more_and_what_was_in_line_is_not_said(client, agent, gate, pool):
    ann = agent(gate.before(say("first")), say("second"))
    bob = agent(call(ASK, message="secret", other_agent_id=ann.id), say("."))
    busy = pool.submit(send, client, ann.id)
    assert gate.reached.wait(5)
    asking = pool.submit(send, client, bob.id)
    until(lambda: len(client.runs.list(agent_id=ann.id).items) == 2)
    client.agents.messages.cancel(bob.id)
    assert asking.result(10).stop_reason.stop_reason == "cancelled"
    gate.opened.set()
    busy.result(10)
    until(lambda: {r.status for r in client.runs.list(agent_id=ann.id)} == {"completed", "cancelled"})
    assert "secret" not in str(client.agents.messages.list(ann.id).items)


def test_an_agent_that_waits_for_a_person_is_an_error_to_who_asks(client, agent):
    rules = [{"type": "requires_approval", "tool_name": "memory_insert"}]
    ann = agent(say("Let me see.") + call("memory_insert", label="human", new_string="x"), tool_rules=rules)
    bob = agent(
        call(ASK, message="?", other_agent_id=ann.id), call(ASK, message="?", other_agent_id=ann.id), say(".")
    )
    found = [m for m in send(client, bob.id).messages if m.message_type == "tool_return_message"]
    value = json.loads(found[0].tool_return)
    assert value["response"] == ["Let me see."]
    assert "ask a person for approval" in value["error"]
    assert found[1].status == "error"
    assert "waiting for approval" in found[1].tool_return


def test_a_message_is_not_passed_on_for_ever(client, agent, scripted):
    """Two agents that only write to each other stop by themselves."""
    ids = [""]

    def script(request: ModelRequest) -> Reply:
        return (
            say("ok")
            if request.messages[-1].role == "tool"
            else call(TELL, message="?", other_agent_id=ids[0])
        )

    ann = agent(script)
    bob = agent(
        lambda r: (
            say("ok") if r.messages[-1].role == "tool" else call(TELL, message="?", other_agent_id=ann.id)
        )
    )
    ids[0] = bob.id
    send(client, bob.id)

    def quiet() -> bool:
        runs = [*client.runs.list(agent_id=ann.id, limit=100), *client.runs.list(agent_id=bob.id, limit=100)]
        return len(runs) >= 21 and all(run.status == "completed" for run in runs)

    until(quiet)
    hops = [r.metadata.get("hops", 0) for a in (ann, bob) for r in client.runs.list(agent_id=a.id, limit=100)]
    assert max(hops) == 20


def test_why_an_answer_is_not_whole():
    reasons = {reason: answer_in([StopReason(stop_reason=reason)]) for reason in ("cancelled", "refusal")}
    assert reasons["cancelled"] == {"error": "Its work was cancelled."}
    assert "refusal" in reasons["refusal"]["error"]
    assert answer_in([StopReason(stop_reason="end_turn")]) == {"response": []}
