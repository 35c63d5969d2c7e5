"""The offline demo through the true loop, tools, streaming and storage."""

import pytest
from letta_client import Letta

LINES = ("Hello! My name is Ann, I live in Lisbon and I love hiking.", "Actually, I moved to Porto.")


def texts(messages) -> list[str]:
    return [message.content for message in messages if message.message_type == "assistant_message"]


@pytest.mark.parametrize("agent_type", ["letta_v1_agent", "memgpt_v2_agent", "memgpt_agent"])
def test_it_remembers_corrects_and_recalls(client: Letta, agent_type):
    agent = client.agents.create(
        name="demo",
        agent_type=agent_type,
        model="demo/offline",
        memory_blocks=[{"label": "human", "value": ""}, {"label": "persona", "value": "I help."}],
    )
    for line in LINES:
        answer = client.agents.messages.create(agent.id, messages=[{"role": "user", "content": line}])
        assert answer.stop_reason.stop_reason in ("end_turn", "tool_rule")
        assert texts(answer.messages)
    block = client.agents.blocks.retrieve("human", agent_id=agent.id)
    assert block.value.strip().splitlines() == ["Name: Ann", "Lives in: Porto", "Likes: hiking"]
    asked = client.agents.messages.create(
        agent.id, messages=[{"role": "user", "content": "Where do I live?"}]
    )
    assert texts(asked.messages) == ["You live in Porto."]


def test_it_searches_what_was_said_before(client: Letta):
    agent = client.agents.create(name="demo", model="demo/offline", memory_blocks=[])
    said = "The cellar door opens to the left."
    for line in (said, "What did I say about the cellar?"):
        answer = client.agents.messages.create(agent.id, messages=[{"role": "user", "content": line}])
    kinds = [message.message_type for message in answer.messages]
    assert kinds[:2] == ["tool_call_message", "tool_return_message"]
    assert said in texts(answer.messages)[0]


def test_it_streams_word_by_word(client: Letta):
    agent = client.agents.create(
        name="demo", model="demo/offline", memory_blocks=[{"label": "human", "value": "Name: Ann"}]
    )
    stream = client.agents.messages.create(
        agent.id,
        messages=[{"role": "user", "content": "What is my name?"}],
        streaming=True,
        stream_tokens=True,
    )
    pieces = texts(stream)
    assert "".join(pieces) == "Your name is Ann."
    assert len(pieces) > 1
