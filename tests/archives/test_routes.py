"""`/v1/archives` through the official client."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from letta_client import BadRequestError, Letta, NotFoundError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def archive_id(client: Letta) -> str:
    """An empty archive."""
    return client.archives.create(name="notes").id


def texts(http: httpx.Client, archive_id: str, **query) -> list[str]:
    answer = http.get(f"/v1/archives/{archive_id}/passages", params={"order": "asc", **query})
    assert answer.status_code == 200, answer.text
    return [passage["text"] for passage in answer.json()]


def test_an_archive_is_made_read_changed_and_deleted(client: Letta) -> None:
    made = client.archives.create(name="notes", description="What I read.")
    assert made.id.startswith("archive-")
    assert (made.name, made.description, made.vector_db_provider) == ("notes", "What I read.", "native")
    assert client.archives.retrieve(made.id) == made
    changed = client.archives.update(made.id, name="books")
    assert (changed.name, changed.description) == ("books", "What I read.")
    client.archives.delete(made.id)
    with pytest.raises(NotFoundError, match="There is no archive"):
        client.archives.retrieve(made.id)


def test_null_clears_and_what_is_left_out_stays(http: httpx.Client) -> None:
    body = {"name": "notes", "description": "d", "metadata": {"a": 1}, "deduplicate": True}
    made = http.post("/v1/archives/", json=body).json()
    path = f"/v1/archives/{made['id']}"
    assert http.patch(path, json={}).json() == made
    cleared = {"description": None, "metadata": None, "deduplicate": None}
    changed = http.patch(path, json=cleared).json()
    assert {**changed, "updated_at": ""} == {
        **made,
        "description": None,
        "metadata": {},
        "deduplicate": False,
        "updated_at": "",
    }
    assert http.patch(path, json={"name": None}).status_code == 422


def test_archives_are_listed_by_name_and_by_agent(client: Letta) -> None:
    agent = client.agents.create(model="demo/offline")
    mine = [client.archives.create(name=name).id for name in ("a", "b", "b")]
    client.agents.archives.attach(mine[1], agent_id=agent.id)
    assert [each.id for each in client.archives.list(order="asc")] == mine
    assert [each.id for each in client.archives.list(name="b")] == [mine[2], mine[1]]
    assert [each.id for each in client.archives.list(agent_id=agent.id)] == [mine[1]]


def test_a_passage_is_made_read_changed_and_deleted(
    client: Letta, http: httpx.Client, archive_id: str
) -> None:
    made = client.archives.passages.create(
        archive_id, text="Oslo", tags=["city", "city"], metadata={"page": 3}, created_at=NOON.isoformat()
    )
    assert (made.text, made.tags, made.metadata, made.archive_id) == (
        "Oslo",
        ["city"],
        {"page": 3},
        archive_id,
    )
    assert (made.created_at, made.embedding) == (NOON, None)
    path = f"/v1/archives/{archive_id}/passages/{made.id}"
    assert http.get(path).json()["text"] == "Oslo"
    changed = http.patch(path, json={"text": "Bergen", "tags": None}).json()
    assert (changed["text"], changed["tags"], changed["metadata"]) == ("Bergen", [], {"page": 3})
    assert changed["created_at"] == made.created_at.isoformat().replace("+00:00", ".000000Z")
    client.archives.passages.delete(made.id, archive_id=archive_id)
    assert http.get(path).status_code == 404


def test_many_passages_are_stored_in_their_order_or_not_at_all(
    client: Letta, http: httpx.Client, archive_id: str
) -> None:
    stored = client.archives.passages.create_many(archive_id, passages=[{"text": str(n)} for n in range(250)])
    assert [passage.text for passage in stored] == [str(n) for n in range(250)]
    assert texts(http, archive_id, limit=1000) == [str(n) for n in range(250)]
    with pytest.raises(BadRequestError, match="at most 8192 tokens"):
        client.archives.passages.create_many(archive_id, passages=[{"text": "fits"}, {"text": "x " * 20_000}])
    assert "fits" not in texts(http, archive_id, limit=1000)
    assert client.archives.passages.create_many(archive_id, passages=[]) == []


def test_a_time_without_a_zone_is_utc(client: Letta, archive_id: str) -> None:
    made = client.archives.passages.create(archive_id, text="x", created_at="2026-03-01T12:00:00")
    assert made.created_at == NOON
    made = client.archives.passages.create(archive_id, text="x", created_at="2026-03-01T14:00:00+02:00")
    assert made.created_at == NOON


def test_passages_are_listed_by_text_tags_and_time(
    client: Letta, http: httpx.Client, archive_id: str
) -> None:
    for day, (text, tags) in enumerate((("One 100%", ["a"]), ("two", ["a", "b"]), ("THREE", ["c"]))):
        at = (NOON + timedelta(days=day)).isoformat()
        client.archives.passages.create(archive_id, text=text, tags=tags, created_at=at)
    assert texts(http, archive_id, search="three") == ["THREE"]
    assert texts(http, archive_id, search="0%") == ["One 100%"]
    assert texts(http, archive_id, tags=["b", "c"]) == ["two", "THREE"]
    assert texts(http, archive_id, tags=["a", "b"], tag_match_mode="all") == ["two"]
    assert texts(http, archive_id, start_date="2026-03-02T12:00:00") == ["two", "THREE"]
    assert texts(http, archive_id, end_date="2026-03-02T12:00:00Z") == ["One 100%", "two"]


def test_a_text_is_stored_once_where_duplicates_are_not_wanted(
    client: Letta, http: httpx.Client, archive_id: str
) -> None:
    path = f"/v1/archives/{archive_id}/passages"
    first = http.post(path, json={"text": "Ada likes tea.", "tags": ["a"]}).json()
    again = {"text": "  Ada likes\ntea. ", "tags": ["b"]}
    twice = http.post(path, json=again).json()
    assert twice["id"] != first["id"]
    once = http.post(path, json={**again, "deduplicate": True}).json()
    assert (once["id"], once["text"], once["tags"]) == (first["id"], "Ada likes tea.", ["a", "b"])
    assert http.patch(f"/v1/archives/{archive_id}", json={"deduplicate": True}).status_code == 200
    batch = [{"text": "New", "tags": ["x"]}, {"text": "Ada likes tea."}, {"text": " New ", "tags": ["y"]}]
    stored = http.post(f"{path}/batch", json={"passages": batch}).json()
    assert [each["text"] for each in stored] == ["New", "Ada likes tea.", "New"]
    assert stored[0] == stored[2]
    assert stored[0]["tags"] == ["x", "y"]
    assert len(texts(http, archive_id)) == 3


def test_a_passage_is_found_in_its_own_archive_only(
    client: Letta, http: httpx.Client, archive_id: str
) -> None:
    other = client.archives.create(name="other").id
    passage = client.archives.passages.create(archive_id, text="x")
    path = f"/v1/archives/{other}/passages/{passage.id}"
    for answer in (http.get(path), http.patch(path, json={"text": "y"}), http.delete(path)):
        assert answer.status_code == 404
        assert f"in archive {other}" in answer.json()["detail"]
    assert texts(http, archive_id) == ["x"]


def test_passages_go_with_their_archive(client: Letta, http: httpx.Client, archive_id: str) -> None:
    client.archives.passages.create(archive_id, text="x")
    client.archives.delete(archive_id)
    assert http.get(f"/v1/archives/{archive_id}/passages").status_code == 404


def test_what_cannot_be_stored_is_left_out_of_a_text(client: Letta, archive_id: str) -> None:
    assert client.archives.passages.create(archive_id, text="a\x00b").text == "ab"
