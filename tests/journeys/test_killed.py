"""Told, killed, asked again: nothing acknowledged is lost, no conversation is bricked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from letta_client import APIConnectionError, Letta
from tests.chat.conftest import until
from tests.conftest import DIALECTS, new_database_url
from tests.journeys.server_process import ASKED, SLOWLY, TOLD, ServerProcess

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
    until(lambda: all(run.completed_at for run in client.runs.list(agent_id=agent_id)))
    runs = list(client.runs.list(agent_id=agent_id))
    assert {run.status for run in runs} <= {"completed"}, "a run that was interrupted goes on"
    known = client.agents.blocks.retrieve("human", agent_id=agent_id).value
    answer = client.agents.messages.create(agent_id, input=ASKED)
    expected = "Your name is Ann." if known else "I do not know."
    assert [m.content for m in answer.messages if m.message_type == "assistant_message"] == [expected]
    history = list(client.agents.messages.list(agent_id, order="asc"))
    accepted = [m for m in history if m.message_type == "user_message" and m.content == TOLD]
    assert len(accepted) == len(runs)
    assert known in ("", "Called Ann.")


def test_a_message_sent_right_after_a_crash_waits_for_what_the_crash_interrupted(
    database_url: str, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path, database_url, "1.after")
    agent_id = told_agent(client_of(server))
    with pytest.raises(APIConnectionError):
        client_of(server).agents.messages.create(agent_id, input=TOLD)
    server.ended()
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    answer = client.agents.messages.create(agent_id, input=ASKED)
    assert answer.messages[-1].content in ("Your name is Ann.", "I do not know.")
    listed = client.agents.messages.list(agent_id, order="asc")
    said = [m.content for m in listed if m.message_type in ("user_message", "assistant_message")]
    assert said[:3] == [TOLD, "I will remember that.", ASKED]
    server.kill()


def test_what_was_sent_in_the_background_is_done_although_the_server_is_killed(
    database_url: str, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    agent_id = told_agent(client)
    sent = [
        client.agents.messages.create_async(agent_id, messages=[{"role": "user", "content": text}]).id
        for text in (f"{SLOWLY} 1", f"{SLOWLY} 2", ASKED)
    ]
    server.kill()
    server = ServerProcess(tmp_path, database_url)
    client = client_of(server)
    until(lambda: all(run.completed_at for run in client.runs.list(agent_id=agent_id)))
    assert [client.runs.retrieve(run_id).status for run_id in sent] == ["completed"] * 3
    listed = client.agents.messages.list(agent_id, order="asc")
    said = [m.content for m in listed if m.message_type in ("user_message", "assistant_message")]
    assert said == [f"{SLOWLY} 1", "Done.", f"{SLOWLY} 2", "Done.", ASKED, "I do not know."]
    server.kill()


def test_another_server_goes_on_with_the_runs_of_one_that_is_gone(tmp_path: Path) -> None:
    database_url, remove = new_database_url("postgres", tmp_path)
    lost = ServerProcess(tmp_path / "a", database_url, lease=1)
    other = ServerProcess(tmp_path / "b", database_url, lease=1)
    agent_id = told_agent(client_of(lost))
    sent = client_of(lost).agents.messages.create_async(
        agent_id, messages=[{"role": "user", "content": SLOWLY}]
    )
    lost.kill()
    client = client_of(other)
    until(lambda: client.runs.retrieve(sent.id).status == "completed")
    assert client.agents.messages.create(agent_id, input=ASKED).messages[-1].content == "I do not know."
    other.kill()
    remove()
