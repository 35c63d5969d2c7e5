"""An agent's archives and its archival memory, through the official client."""

import httpx
import pytest
from letta_client import BadRequestError, Letta, NotFoundError


@pytest.fixture
def agent_id(client: Letta) -> str:
    return client.agents.create(name="Nova", model="demo/offline").id


def archives_of(client: Letta, agent_id: str) -> list[str]:
    return [archive.name for archive in client.archives.list(agent_id=agent_id, order="asc")]


def test_the_first_memory_makes_an_archive_of_the_agents_name(client: Letta, agent_id: str) -> None:
    assert client.agents.passages.list(agent_id) == []
    assert archives_of(client, agent_id) == []
    [made] = client.agents.passages.create(agent_id, text="Ada likes tea.", tags=["taste"])
    assert (made.text, made.tags) == ("Ada likes tea.", ["taste"])
    client.agents.passages.create(agent_id, text="Ada lives in Oslo.")
    assert archives_of(client, agent_id) == ["Nova's Archive"]
    assert [each.text for each in client.agents.passages.list(agent_id)] == [
        "Ada likes tea.",
        "Ada lives in Oslo.",
    ]


def test_an_agent_reads_all_its_archives_and_writes_to_the_first(
    client: Letta, http: httpx.Client, agent_id: str
) -> None:
    first, second = (client.archives.create(name=name) for name in ("first", "second"))
    for archive in (first, second, first):
        client.agents.archives.attach(archive.id, agent_id=agent_id)
    client.archives.passages.create(second.id, text="in the second")
    [made] = client.agents.passages.create(agent_id, text="written")
    assert made.archive_id == first.id
    assert [each.text for each in client.agents.passages.list(agent_id)] == ["in the second", "written"]
    http.patch(f"/v1/agents/{agent_id}/archives/attach/{second.id}", params={"first": True})
    [made] = client.agents.passages.create(agent_id, text="written later")
    assert made.archive_id == second.id
    client.agents.archives.detach(second.id, agent_id=agent_id)
    assert [each.text for each in client.agents.passages.list(agent_id)] == ["written"]
    with pytest.raises(NotFoundError, match="is not attached"):
        client.agents.archives.detach(second.id, agent_id=agent_id)


def test_an_archive_can_be_of_many_agents(client: Letta, agent_id: str) -> None:
    archive = client.archives.create(name="shared")
    agents = [agent_id, *(client.agents.create(model="demo/offline").id for _ in range(4))]
    for each in agents:
        client.agents.archives.attach(archive.id, agent_id=each)
    client.agents.passages.create(agents[0], text="known to all")
    assert [each.text for each in client.agents.passages.list(agents[4])] == ["known to all"]


def test_memories_are_paged_in_the_order_that_is_asked_for(client: Letta, agent_id: str) -> None:
    for n in range(5):
        client.agents.passages.create(agent_id, text=f"{n}", created_at=f"2026-01-0{n + 1}T00:00:00Z")
    for ascending in (True, False):
        seen: list[str] = []
        after = None
        while page := client.agents.passages.list(agent_id, limit=2, ascending=ascending, after=after):
            seen += [each.text for each in page]
            after = page[-1].id
        assert seen == sorted("01234", reverse=not ascending)
    assert [each.text for each in client.agents.passages.list(agent_id, search="3")] == ["3"]


def test_memories_are_deleted_by_agents_that_have_their_archive(client: Letta, agent_id: str) -> None:
    [made] = client.agents.passages.create(agent_id, text="x")
    other = client.agents.create(model="demo/offline").id
    with pytest.raises(NotFoundError, match="in the archives of agent"):
        client.agents.passages.delete(str(made.id), agent_id=other)
    client.agents.passages.delete(str(made.id), agent_id=agent_id)
    assert client.agents.passages.list(agent_id) == []


def test_a_memory_that_is_too_long_is_refused(client: Letta, agent_id: str) -> None:
    with pytest.raises(BadRequestError, match="at most 8192 tokens"):
        client.agents.passages.create(agent_id, text="word " * 10_000)


def test_deleting_an_agent_tells_which_archives_stay(
    client: Letta, http: httpx.Client, agent_id: str
) -> None:
    [made] = client.agents.passages.create(agent_id, text="kept")
    shared = client.archives.create(name="shared")
    for each in (agent_id, client.agents.create(model="demo/offline").id):
        client.agents.archives.attach(shared.id, agent_id=each)
    told = http.delete(f"/v1/agents/{agent_id}").json()["message"]
    assert made.archive_id in told
    assert shared.id not in told
    kept = http.get(f"/v1/archives/{made.archive_id}/passages").json()
    assert [each["text"] for each in kept] == ["kept"]


def test_the_prompt_tells_how_much_is_remembered(client: Letta, http: httpx.Client, agent_id: str) -> None:
    overview = http.get(f"/v1/agents/{agent_id}/context").json()
    assert overview["num_archival_memory"] == 0
    assert "archival memory" not in overview["external_memory_summary"]
    client.agents.passages.create(agent_id, text="x", tags=["b", "a"])
    client.agents.passages.create(agent_id, text="y", tags=["b"])
    overview = http.get(f"/v1/agents/{agent_id}/context").json()
    assert overview["num_archival_memory"] == 2
    assert "- 2 memories are kept in archival memory" in overview["external_memory_summary"]
    assert "Available archival memory tags: a, b" in overview["external_memory_summary"]
    assert "- 2 memories" in http.post(f"/v1/agents/{agent_id}/recompile").json()
