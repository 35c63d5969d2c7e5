"""Limits on calls count a whole turn, whatever lies between its beginning and its end."""

from typing import Any

import pytest
from letta_client import Letta
from tests.chat.conftest import Gate, until
from tests.chat.test_approvals import asked, reply, yes
from tests.chat.test_compaction import WINDOW, WORDS, Mind
from tests.chat.test_messages import new_agent
from tests.conftest import LiveServer

from perdure.providers.base import ModelRequest
from perdure.testing.scripted import Reply, ScriptedModel, call, say

SEARCH = "conversation_search"


def at_most(tool_name: str, times: int) -> dict[str, Any]:
    return {"type": "max_count_per_step", "tool_name": tool_name, "max_count_limit": times}


def offers(request: ModelRequest) -> set[str]:
    return {tool.name for tool in request.tools}


class Searcher(Mind):
    """Searches twice, then fills its window with notes; after its second summary it waits at a gate."""

    def __init__(self, gate: Gate):
        super().__init__()
        self.gate = gate
        self.waited = False

    def answer(self) -> Reply:
        if len(self.asked) <= 2:
            return call(SEARCH, query=f"{len(self.asked)}")
        if self.waited:
            return say("Done.")
        if len(self.summarised) == 2:
            self.waited = True
            return self.gate.before(say("never"))
        return call("core_memory_append", label="notes", content=".") + say(WORDS)


@pytest.mark.parametrize("save_first", [True, False])
def test_limits_count_calls_that_a_compaction_and_a_crash_lie_behind(
    client: Letta, live: LiveServer, scripted: ScriptedModel, model_name: str, gate: Gate, save_first: bool
) -> None:
    mind = Searcher(gate)
    agent = client.agents.create(
        model=scripted.script(model_name, mind),
        system="Be kind.",
        include_base_tools=False,
        tools=[SEARCH, "core_memory_append"],
        memory_blocks=[{"label": "notes", "value": ""}],
        tool_rules=[at_most(SEARCH, 2)],
        context_window_limit=WINDOW,
        compaction_settings={"save_to_memory_first": save_first},
    )
    run = client.agents.messages.create_async(agent.id, input="Look it up.")
    assert gate.reached.wait(10), client.runs.retrieve(run.id)
    assert SEARCH in offers(mind.asked[1])
    assert SEARCH not in offers(mind.asked[-1])
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).completed_at)
    assert client.runs.retrieve(run.id).stop_reason == "end_turn"
    assert SEARCH not in offers(mind.asked[-1])
    assert "core_memory_append" in offers(mind.asked[-1])


def test_calls_made_to_save_memory_count_towards_no_limit_after_a_crash(
    client: Letta, live: LiveServer, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    append = call("core_memory_append", label="notes", content=".")

    class Saver(Searcher):
        def saved(self) -> Reply:
            return append

    mind = Saver(gate)
    agent = client.agents.create(
        model=scripted.script(model_name, mind),
        system="Be kind.",
        include_base_tools=False,
        tools=[SEARCH, "core_memory_append"],
        memory_blocks=[{"label": "notes", "value": ""}],
        tool_rules=[at_most("core_memory_append", 100)],
        context_window_limit=WINDOW,
    )
    run = client.agents.messages.create_async(agent.id, input="Look it up.")
    assert gate.reached.wait(10), client.runs.retrieve(run.id)
    made = len(mind.asked) - 3  # two searches, and the call that waits
    client.agents.update(agent.id, tool_rules=[at_most("core_memory_append", made + 1)])
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).completed_at)
    assert len(mind.alerted) == 2
    assert "core_memory_append" in offers(mind.asked[-1])


def test_limits_count_calls_over_any_number_of_approvals(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    edit = call("memory_insert", label="human", new_string="x")
    rules = [{"type": "requires_approval", "tool_name": "memory_insert"}, at_most("memory_insert", 3)]
    agent = new_agent(client, scripted.script(model_name, edit, edit, edit, say("Enough.")), tool_rules=rules)
    request = asked(client, agent.id)
    for count in (1, 2):
        answer = reply(client, agent.id, yes(request.tool_call.tool_call_id))
        request = answer.messages[-1]
        assert request.message_type == "approval_request_message", count
        assert "memory_insert" in offers(scripted.requests[model_name][-1])
    reply(client, agent.id, yes(request.tool_call.tool_call_id))
    assert "memory_insert" not in offers(scripted.requests[model_name][-1])
