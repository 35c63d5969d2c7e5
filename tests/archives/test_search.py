"""Searching archives through the official client."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from letta_client import Letta, NotFoundError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def agent_id(client: Letta) -> str:
    """An agent that remembers four things of four days."""
    agent = client.agents.create(name="Nova", model="demo/offline", timezone="America/New_York")
    memories = (
        ("Ada moved to Lisbon.", ["ada", "home"]),
        ("Ada has a cat called Grep.", ["ada", "pet"]),
        ("Bo lives in Oslo.", ["bo", "home"]),
        ("The cat of Bo died.", ["bo", "pet"]),
    )
    for day, (text, tags) in enumerate(memories):
        client.agents.passages.create(agent.id, text=text, tags=tags, created_at=NOON + timedelta(days=day))
    return agent.id


def found(client: Letta, agent_id: str, query: str, **options) -> list[str]:
    answer = client.agents.passages.search(agent_id, query=query, **options)
    assert answer.count == len(answer.results)
    return [result.content for result in answer.results]


def test_a_memory_is_found_by_its_words_at_once(client: Letta, agent_id: str) -> None:
    [best, *_] = client.agents.passages.search(agent_id, query="Where is Lisbon?").results
    assert best.content == "Ada moved to Lisbon."
    assert best.tags == ["ada", "home"]
    assert best.timestamp == "2026-03-01T07:00:00-05:00"
    told = best.model_dump()["relevance"]
    assert told["rrf_score"] > 0
    assert told["fts_rank"] == 1


def test_what_is_changed_or_deleted_is_found_as_it_is_now(
    client: Letta, http: httpx.Client, agent_id: str
) -> None:
    [first, *_] = client.agents.passages.list(agent_id)
    path = f"/v1/archives/{first.archive_id}/passages/{first.id}"
    http.patch(path, json={"text": "Ada moved to Porto."})
    assert found(client, agent_id, "Porto")[0] == "Ada moved to Porto."
    assert "Ada moved to Lisbon." not in found(client, agent_id, "Lisbon")
    http.delete(path)
    assert "Ada moved to Porto." not in found(client, agent_id, "Porto")


def test_tags_and_times_are_applied_before_the_limit(client: Letta, agent_id: str) -> None:
    assert found(client, agent_id, "Ada cat home", tags=["bo"], top_k=1) != []
    assert found(client, agent_id, "cat", tags=["ada", "pet"], tag_match_mode="all", top_k=1) == [
        "Ada has a cat called Grep."
    ]
    bo = {"The cat of Bo died.", "Bo lives in Oslo."}
    assert set(found(client, agent_id, "Bo Ada cat", tags=["bo"])) == bo
    # Noon of Greenwich is seven o'clock in New York.
    assert set(found(client, agent_id, "Bo Ada cat", start_datetime="2026-03-03T07:00:00")) == bo
    early = found(client, agent_id, "Bo Ada cat", end_datetime="2026-03-01T12:00:00Z")
    assert early == ["Ada moved to Lisbon."]


def test_a_search_without_a_word_finds_nothing(client: Letta, agent_id: str) -> None:
    assert found(client, agent_id, "  ") == []
    assert found(client, client.agents.create(model="demo/offline").id, "cat") == []


def test_passages_are_searched_by_agent_by_archive_or_all(client: Letta, agent_id: str) -> None:
    other = client.archives.create(name="other")
    client.archives.passages.create(other.id, text="A cat in a box.")

    def texts(**where) -> set[str]:
        answer = client.passages.search(query="cat", **where)
        assert all(item.score > 0 and item.metadata for item in answer)
        return {item.passage.text for item in answer}

    mine = {"Ada has a cat called Grep.", "The cat of Bo died."}
    assert mine <= texts(agent_id=agent_id)
    assert "A cat in a box." not in texts(agent_id=agent_id)
    assert texts(archive_id=other.id) == {"A cat in a box."}
    assert mine | {"A cat in a box."} <= texts()
    assert texts(agent_id=agent_id, archive_id=other.id) == set()
    client.agents.archives.attach(other.id, agent_id=agent_id)
    assert mine | {"A cat in a box."} <= texts(agent_id=agent_id)
    with pytest.raises(NotFoundError):
        client.passages.search(query="x", archive_id="archive-" + agent_id.removeprefix("agent-"))


def test_without_a_query_passages_are_listed_the_oldest_first(client: Letta, agent_id: str) -> None:
    listed = client.passages.search(agent_id=agent_id, limit=2)
    assert [item.passage.text for item in listed] == ["Ada moved to Lisbon.", "Ada has a cat called Grep."]
    assert [item.score for item in listed] == [0.0, 0.0]
    listed = client.passages.search(tags=["bo"], start_date=NOON + timedelta(days=3))
    assert [item.passage.text for item in listed] == ["The cat of Bo died."]


def test_nobody_finds_what_others_keep(client: Letta, live, new_key) -> None:
    archive = client.archives.create(name="mine")
    client.archives.passages.create(archive.id, text="A xylophone.")
    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as stranger:
        assert stranger.passages.search(query="xylophone") == []
        with pytest.raises(NotFoundError):
            stranger.passages.search(query="xylophone", archive_id=archive.id)
    assert len(client.passages.search(query="xylophone")) == 1


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "soon"])
def test_impossible_times_are_refused(http: httpx.Client, agent_id: str, moment: str) -> None:
    path = f"/v1/agents/{agent_id}/archival-memory"
    agent = http.patch(f"/v1/agents/{agent_id}", json={"timezone": "Asia/Tokyo"})
    assert agent.status_code == 200
    far = f"{moment}+14:00" if moment.startswith("0001") else moment
    for answer in (
        http.get(f"{path}/search", params={"query": "cat", "start_datetime": moment}),
        http.post("/v1/passages/search", json={"query": "cat", "end_date": far}),
        http.post(path, json={"text": "x", "created_at": far}),
    ):
        assert answer.status_code in {400, 422}, answer.text
