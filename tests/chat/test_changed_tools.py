"""Tools that are renamed or deleted while agents use them: no turn breaks."""

import pytest
from letta_client import Letta, NotFoundError
from tests.chat.test_messages import new_agent, send

from perdure.testing.scripted import ScriptedModel, call, say

SOURCE = 'def lookup(word: str) -> str:\n    """Look up.\n\n    Args:\n        word: What.\n    """\n'
RULES = [
    {"type": "requires_approval", "tool_name": "lookup"},
    {"type": "constrain_child_tools", "tool_name": "memory_insert", "children": ["lookup"]},
    {"type": "continue_loop", "tool_name": "memory_insert"},
]


@pytest.fixture
def tool_id(client: Letta) -> str:
    return client.tools.create(source_code=SOURCE).id


def rules(client: Letta, agent_id: str) -> list[tuple[str, str, list[str] | None]]:
    """The rules of the test, without those that agents bring along."""
    found = [rule.model_dump() for rule in client.agents.retrieve(agent_id).tool_rules]
    told = [(rule["type"], rule["tool_name"], rule.get("children")) for rule in found]
    return [rule for rule in told if rule[1] in ("lookup", "find", "memory_insert")]


def test_a_deleted_tool_leaves_its_agents_with_the_rules_about_it(
    client: Letta, scripted: ScriptedModel, model_name: str, tool_id: str
) -> None:
    script = scripted.script(model_name, call("lookup", word="tea"), say("Gone."), say("Fine."))
    agent = new_agent(client, script, tool_ids=[tool_id], tool_rules=RULES)
    other = new_agent(client, script, tool_rules=RULES[:1])
    assert client.tools.delete(tool_id) is None
    assert "lookup" not in [tool.name for tool in client.agents.tools.list(agent.id)]
    assert rules(client, agent.id) == [("continue_loop", "memory_insert", None)]
    assert rules(client, other.id) == [("requires_approval", "lookup", None)]
    answer = send(client, agent.id)
    assert answer.messages[1].message_type == "tool_return_message"
    assert (answer.messages[1].status, answer.stop_reason.stop_reason) == ("error", "end_turn")
    for again in (client.tools.retrieve, client.tools.delete):
        with pytest.raises(NotFoundError, match=f"There is no tool {tool_id}"):
            again(tool_id)


def test_a_call_that_waits_for_a_tool_that_is_gone_is_answered(
    client: Letta, scripted: ScriptedModel, model_name: str, tool_id: str
) -> None:
    script = scripted.script(model_name, call("lookup", word="tea"), say("A pity."))
    agent = new_agent(client, script, tool_ids=[tool_id], tool_rules=RULES[:1])
    asked = send(client, agent.id)
    assert asked.stop_reason.stop_reason == "requires_approval"
    client.tools.delete(tool_id)
    yes = {"type": "approval", "tool_call_id": asked.messages[-1].tool_call.tool_call_id, "approve": True}
    answer = client.agents.messages.create(agent.id, messages=[{"type": "approval", "approvals": [yes]}])
    assert (answer.messages[0].status, answer.messages[1].content) == ("error", "A pity.")
    assert answer.stop_reason.stop_reason == "end_turn"


def test_rules_follow_a_tool_to_its_new_name(
    client: Letta, scripted: ScriptedModel, model_name: str, tool_id: str
) -> None:
    script = scripted.script(model_name, call("lookup", word="tea"), call("find", word="tea"), say("Done."))
    agent = new_agent(client, script, tool_ids=[tool_id], tool_rules=RULES)
    schema = {"name": "find", "description": "Find.", "parameters": {"type": "object", "properties": {}}}
    client.tools.update(tool_id, source_code=SOURCE.replace("lookup", "find"), json_schema=schema)
    assert rules(client, agent.id) == [
        ("requires_approval", "find", None),
        ("constrain_child_tools", "memory_insert", ["find"]),
        ("continue_loop", "memory_insert", None),
    ]
    answer = send(client, agent.id)
    assert answer.messages[1].status == "error"
    assert answer.messages[-1].message_type == "approval_request_message"
    assert answer.messages[-1].tool_call.name == "find"
