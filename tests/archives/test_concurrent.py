"""Many at once: one archive for an agent, one passage for a text."""

from concurrent.futures import ThreadPoolExecutor

import httpx
from letta_client import Letta

AT_ONCE = 6


def test_first_memories_that_come_at_once_make_one_archive(client: Letta) -> None:
    agent = client.agents.create(model="demo/offline")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda n: client.agents.passages.create(agent.id, text=str(n)), range(AT_ONCE)))
    assert len(list(client.archives.list(agent_id=agent.id))) == 1
    assert len(client.agents.passages.list(agent.id)) == AT_ONCE


def test_a_text_that_comes_from_many_at_once_is_stored_once(client: Letta, http: httpx.Client) -> None:
    archive = http.post("/v1/archives/", json={"name": "x", "deduplicate": True}).json()
    path = f"/v1/archives/{archive['id']}/passages"

    def add(number: int) -> str:
        return http.post(path, json={"text": "the same", "tags": [str(number)]}).json()["id"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = set(pool.map(add, range(AT_ONCE)))
    [kept] = http.get(path).json()
    assert ids == {kept["id"]}
    assert sorted(kept["tags"]) == [str(number) for number in range(AT_ONCE)]


def test_an_archive_is_attached_once_however_often(client: Letta) -> None:
    agent, archive = client.agents.create(model="demo/offline"), client.archives.create(name="x")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: client.agents.archives.attach(archive.id, agent_id=agent.id), range(AT_ONCE)))
    assert [each.id for each in client.archives.list(agent_id=agent.id)] == [archive.id]
