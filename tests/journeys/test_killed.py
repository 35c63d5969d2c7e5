"""Told, killed, asked again: nothing acknowledged is lost, no conversation is bricked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from letta_client import APIConnectionError, Letta
from tests.conftest import DIALECTS, new_database_url
from tests.journeys.server_process import ASKED, TOLD, ServerProcess

WRITES = 5  # accept, answer, the memory tool's own, returns, end
POINTS = [f"{number}.{moment}" for number in range(WRITES) for moment in ("before", "after")]


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url, remove = new_database_url(request.param, tmp_path)
    yield url
    remove()


def client_of(server: ServerProcess) -> Letta:
    return Letta(base_url=server.url, max_retries=0, timeout=20)


def told_agent(client: Letta) -> str:
    block = {"label": "human", "value": ""}
    return client.agents.create(model="scripted/mind", memory_blocks=[block]).id


def test_an_agent_knows_what_it_was_told_after_a_hard_kill(database_url: str, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    agent_id = told_agent(client)
    client.agents.messages.create(agent_id, input=TOLD)
    server.kill()
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    answer = client.agents.messages.create(agent_id, input=ASKED)
    assert answer.messages[-1].content == "Your name is Ann."
    assert client.agents.blocks.retrieve("human", agent_id=agent_id).value == "Called Ann."
    server.kill()


def test_killed_at_every_save_point_the_next_message_is_answered(database_url: str, tmp_path: Path) -> None:
    survivors: list[str] = []
    for point in POINTS:
        server = ServerProcess(tmp_path, database_url, point)
        client = client_of(server)
        survivors.append(told_agent(client))
        with pytest.raises(APIConnectionError):
            client.agents.messages.create(survivors[-1], input=TOLD)
        assert server.ended() == -9, f"alive after {point}"
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    for agent_id in survivors:
        _check_survivor(client, agent_id)
    server.kill()


def _check_survivor(client: Letta, agent_id: str) -> None:
    assert all(run.status != "running" for run in client.runs.list(agent_id=agent_id))
    known = client.agents.blocks.retrieve("human", agent_id=agent_id).value
    answer = client.agents.messages.create(agent_id, input=ASKED)
    expected = "Your name is Ann." if known else "I do not know."
    assert [m.content for m in answer.messages if m.message_type == "assistant_message"] == [expected]
    history = list(client.agents.messages.list(agent_id, order="asc"))
    accepted = [m for m in history if m.message_type == "user_message" and m.content == TOLD]
    assert len(accepted) == len(list(client.runs.list(agent_id=agent_id))) - 1
