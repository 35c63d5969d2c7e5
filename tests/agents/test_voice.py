"""The agent behind a voice keeps lines of a conversation."""

import pytest
from letta_client import Letta

from perdure.agents.voice import numbered_lines
from perdure.testing.scripted import ScriptedModel, call

LINES = """These lines are about to leave:
0: user: I fly to Kyoto in April.
1: assistant: How long?
2: user: Two weeks.
   With my sister.
3: user: What's the weather?"""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1: a\n2: b", {1: "a", 2: "b"}),
        ("[1] a\n[2]: b", {1: "a", 2: "b"}),
        ("Line 3. a\nline 4) b", {3: "a", 4: "b"}),
        ("heading\n7 | a\nmore\n\n8 | b", {7: "a\nmore", 8: "b"}),
        ("no numbers", {}),
        ("2026-03-01 is a day", {}),
        ("", {}),
    ],
)
def test_lines_are_known_by_their_numbers(text: str, lines: dict[int, str]) -> None:
    assert numbered_lines(text) == lines


def test_lines_are_kept_with_what_they_are_about(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    trip = {"start_index": 0, "end_index": 2, "context": "The person travels to Kyoto."}
    far = {"start_index": 9, "end_index": 12, "context": "x"}
    calls = [
        call("store_memories", chunks=each, request_heartbeat=True) for each in ([trip], [trip, far], [])
    ]
    handle = scripted.script(model_name, *calls, call("finish_rethinking_memory"))
    agent = client.agents.create(model=handle, agent_type="voice_sleeptime_agent")
    said = client.agents.messages.create(agent.id, input=LINES).messages
    first, second, third, *_ = [each for each in said if each.message_type == "tool_return_message"]
    assert (first.status, first.tool_return) == ("success", "Kept 1 memory.")
    assert "they go from 0 to 3" in second.tool_return
    assert "nothing in it to keep" in third.tool_return
    [kept] = client.agents.passages.list(agent.id)
    assert kept.text.splitlines() == [
        "The person travels to Kyoto.",
        "user: I fly to Kyoto in April.",
        "assistant: How long?",
        "user: Two weeks.",
        "With my sister.",
    ]
    assert kept.model_dump()["provenance"]["run_id"] == said[0].run_id
