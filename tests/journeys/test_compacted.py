"""Killed while older messages leave the context: the run goes on, and so does the conversation."""

from pathlib import Path
from typing import Any

import pytest
from letta_client import APIConnectionError, Letta
from tests.chat.conftest import until
from tests.journeys.server_process import ASKED, ServerProcess
from tests.journeys.test_killed import client_of, database_url

__all__ = ["database_url"]

# The writes: accept, the memory tool's own, what was said aside, the summary, the end.
POINTS = ("1.after", "2.after", "3.after")
FILLER = "There is much to tell. " * 90  # about 500 tokens
WINDOW = 1500


def full_agent(client: Letta) -> str:
    """An agent whose next message makes others leave."""
    agent = client.agents.create(
        model="scripted/mind",
        system="Be kind.",
        memory_blocks=[{"label": "human", "value": ""}],
        include_base_tools=False,
        tools=["memory_insert"],
        context_window_limit=WINDOW,
    )
    for number in range(3):
        client.agents.messages.create(agent.id, input=f"{number} {FILLER}")
    assert "summary_message" not in kinds(client, agent.id)
    return agent.id


def kinds(client: Letta, agent_id: str) -> list[str]:
    return [m.message_type for m in client.agents.messages.list(agent_id, limit=100)]


def test_killed_at_every_save_point_of_a_compaction_the_run_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    agents = [full_agent(client) for _ in POINTS]
    server.kill()
    for point, agent_id in zip(POINTS, agents, strict=True):
        server = ServerProcess(tmp_path, database_url, point)
        client = client_of(server)
        until(lambda client=client: all(run.completed_at for run in client.runs.list()))
        with pytest.raises(APIConnectionError):
            client.agents.messages.create(agent_id, input=f"3 {FILLER}")
        assert server.ended() == -9, f"alive after {point}"
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    for agent_id in agents:
        check(client, agent_id)
    server.kill()


def check(client: Letta, agent_id: str) -> None:
    until(lambda: all(run.completed_at for run in client.runs.list(agent_id=agent_id)))
    assert {run.status for run in client.runs.list(agent_id=agent_id)} == {"completed"}
    listed: list[Any] = list(client.agents.messages.list(agent_id, order="asc", limit=100))
    said = [m.content[:1] for m in listed if m.message_type == "user_message"]
    assert said == ["0", "1", "2", "3"]
    assert sum(m.message_type == "assistant_message" for m in listed) == 4
    (summary,) = (m for m in listed if m.message_type == "summary_message")
    assert summary.summary == "Ann said a lot."
    context = client.agents.retrieve(agent_id).message_ids
    assert context[1] == summary.id
    assert len(context) < 8
    assert client.agents.blocks.retrieve("human", agent_id=agent_id).value == "Called Ann."
    answer = client.agents.messages.create(agent_id, input=ASKED)
    assert answer.messages[-1].content == "Your name is Ann."
