"""Archives with a provider's embedding model: another one, one that is down, one that comes back."""

import time
import uuid
from typing import Any

import httpx
import pytest
from letta_client import Letta


@pytest.fixture
def handle(http: httpx.Client, embedding_server: Any) -> str:
    """The handle of a model of the test's own provider."""
    name = f"own-{uuid.uuid4().hex[:8]}"
    body = {
        "name": name,
        "provider_type": "openai",
        "base_url": embedding_server.url + "/v1",
        "api_key": "x",
    }
    assert http.post("/v1/providers/", json=body).status_code == 200
    return f"{name}/words-embedding"


def vectors(http: httpx.Client, archive_id: str) -> list[list[float] | None]:
    listed = http.get(f"/v1/archives/{archive_id}/passages", params={"include_embedding": True}).json()
    return [each["embedding"] for each in listed]


def wait_for_dimensions(http: httpx.Client, archive_id: str, dimensions: int) -> None:
    deadline = time.monotonic() + 20
    while {len(each or ()) for each in vectors(http, archive_id)} != {dimensions}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def found(http: httpx.Client, archive_id: str, query: str) -> list[str]:
    answer = http.post("/v1/passages/search", json={"query": query, "archive_id": archive_id})
    return [each["passage"]["text"] for each in answer.json()]


def test_another_model_replaces_all_vectors(
    client: Letta, http: httpx.Client, handle: str, embedding_server: Any
) -> None:
    archive = client.archives.create(name="notes").id
    client.archives.passages.create_many(archive, passages=[{"text": f"note {n}"} for n in range(40)])
    wait_for_dimensions(http, archive, 384)
    embedding_server.always = 503  # what is there serves on while the new one is down
    assert http.patch(f"/v1/archives/{archive}", json={"embedding": handle}).status_code == 200
    wait_for_dimensions(http, archive, 384)
    embedding_server.always = None
    changed = http.patch(f"/v1/archives/{archive}", json={"embedding": handle}).json()
    assert changed["embedding"] == changed["embedding_config"]["handle"] == handle
    assert "note 7" in found(http, archive, "note 7")
    wait_for_dimensions(http, archive, 8)
    assert found(http, archive, "note 7")[0] == "note 7"


def test_while_a_model_is_down_passages_wait_for_it(
    client: Letta, http: httpx.Client, handle: str, embedding_server: Any
) -> None:
    embedding_server.always = 503
    archive = client.archives.create(name="notes", embedding=handle).id
    client.archives.passages.create(archive, text="the first note")
    assert found(http, archive, "first") == ["the first note"]
    embedding_server.always = None
    client.archives.passages.create(archive, text="the second note")
    wait_for_dimensions(http, archive, 8)


def test_an_agents_archive_has_the_agents_model(client: Letta, http: httpx.Client, handle: str) -> None:
    agent = client.agents.create(model="demo/offline", embedding=handle)
    [kept] = client.agents.passages.create(agent.id, text="x")
    [archive] = client.archives.list(agent_id=agent.id)
    assert archive.model_dump()["embedding"] == handle
    wait_for_dimensions(http, str(kept.archive_id), 8)
