"""Tools of users in whole turns: at once, approved or not, cancelled, and told of what they cost."""

import time
from pathlib import Path

import pytest
from tests.chat.conftest import until

from perdure.testing.scripted import call, say

SLEEP = '''
import time

def slow(name: str) -> str:
    """Take a moment.

    Args:
        name: Whose.
    """
    time.sleep(0.5)
    return f"slow {name}"
'''
ENDLESS = '''
import subprocess, time

def endless() -> str:
    """Never end, in several processes."""
    subprocess.Popen(["/bin/sleep", "4211.25"])
    while True:
        time.sleep(0.01)
'''


def returns_of(messages):
    return [r for m in messages if m.message_type == "tool_return_message" for r in m.tool_returns]


def test_tools_that_may_run_beside_others_do(client, scripted, model_name, make_tool):
    tool = make_tool(SLEEP, enable_parallel_execution=True)
    both = call("slow", name="a") + call("slow", name="b") + call("slow", name="c")
    model = scripted.script(model_name, both, say("done"))
    agent = client.agents.create(model=model, tool_ids=[tool.id], include_base_tools=False)
    client.agents.tools.run("slow", agent_id=agent.id, args={"name": "first"})  # the sandbox is there now
    began = time.monotonic()
    answer = client.agents.messages.create(agent.id, input="go")
    assert time.monotonic() - began < 1.4
    assert [r.tool_return for r in returns_of(answer.messages)] == ["slow a", "slow b", "slow c"]


@pytest.mark.parametrize(("approve", "told"), [(True, "slow x"), (False, "denied")])
def test_a_person_is_asked_before_it_runs(client, scripted, model_name, make_tool, approve, told):
    tool = make_tool(SLEEP, default_requires_approval=True)
    model = scripted.script(model_name, call("slow", name="x"), say("done"))
    agent = client.agents.create(model=model, tool_ids=[tool.id], include_base_tools=False)
    asked = client.agents.messages.create(agent.id, input="go")
    assert asked.stop_reason.stop_reason == "requires_approval"
    [request] = [m for m in asked.messages if m.message_type == "approval_request_message"]
    reply = {"type": "approval", "tool_call_id": request.tool_calls[0].tool_call_id, "approve": approve}
    answer = client.agents.messages.create(agent.id, messages=[{"type": "approval", "approvals": [reply]}])
    [returned] = returns_of(answer.messages)
    assert told in returned.tool_return
    assert returned.status == ("success" if approve else "error")


def alive() -> list[str]:
    """The processes of this machine that the endless tool has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        found += [folder.name] if b"4211.25" in words else []
    return found


def test_cancelling_a_run_kills_all_that_its_tool_has_started(client, scripted, model_name, make_tool):
    tool = make_tool(ENDLESS)
    model = scripted.script(model_name, call("endless"), say("done"))
    agent = client.agents.create(model=model, tool_ids=[tool.id], include_base_tools=False)
    run = client.agents.messages.create_async(agent.id, input="go")
    until(alive)
    began = time.monotonic()
    client.agents.messages.cancel(agent.id, run_ids=[run.id])
    until(lambda: not alive())
    assert time.monotonic() - began < 0.5
    until(lambda: client.runs.retrieve(run.id).status == "cancelled")
    history = list(client.agents.messages.list(agent.id, order="asc"))
    [returned] = returns_of(history)
    assert (returned.status, "cancelled" in returned.tool_return.lower()) == ("error", True)
    scripted.script(model_name, say("here again"))
    assert client.agents.messages.create(agent.id, input="hello").messages[-1].content == "here again"


def test_a_tool_rule_holds_for_it(client, scripted, model_name, make_tool):
    tool = make_tool(SLEEP)
    model = scripted.script(model_name, call("slow", name="x"), say("never said"))
    rule = {"type": "exit_loop", "tool_name": "slow"}
    agent = client.agents.create(model=model, tool_ids=[tool.id], include_base_tools=False, tool_rules=[rule])
    answer = client.agents.messages.create(agent.id, input="go")
    assert answer.stop_reason.stop_reason == "tool_rule"
    assert [r.tool_return for r in returns_of(answer.messages)] == ["slow x"]
