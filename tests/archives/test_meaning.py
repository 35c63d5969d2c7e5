"""Archives are searched by meaning, too, and their model can change."""

import time
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, Letta

TEXTS = ("The dog sleeps on the sofa.", "Interest rates were raised.", "Soup is cooked with onions.")
ASKED = ("A puppy naps.", "monetary policy of the bank", "preparing a meal")


@pytest.fixture
def archive_id(client: Letta) -> str:
    archive = client.archives.create(name="notes")
    client.archives.passages.create_many(archive.id, passages=[{"text": text} for text in TEXTS])
    return archive.id


def found(http: httpx.Client, query: str, **options: Any) -> list[dict[str, Any]]:
    answer = http.post("/v1/passages/search", json={"query": query, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def embedded(http: httpx.Client, archive_id: str, *, wanted: bool = True) -> list[Any]:
    """The vectors of all passages, once all (or none) have one."""
    deadline = time.monotonic() + 20
    while True:
        path = f"/v1/archives/{archive_id}/passages"
        listed = http.get(path, params={"include_embedding": True, "order": "asc"}).json()
        vectors = [each["embedding"] for each in listed]
        if all((each is not None) is wanted for each in vectors):
            return vectors
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_means_the_same_in_other_words_is_found(http: httpx.Client, archive_id: str) -> None:
    vectors = embedded(http, archive_id)
    assert {len(vector) for vector in vectors} == {384}
    assert sum(number**2 for number in vectors[0]) == pytest.approx(1, abs=0.01)
    for text, query in zip(TEXTS, ASKED, strict=True):
        best, *_ = found(http, query, archive_id=archive_id)
        assert best["passage"]["text"] == text
        assert best["metadata"]["vector_rank"] == 1
        assert best["passage"]["embedding"] is None
        assert found(http, query, archive_id=archive_id, search_mode="vector")[0]["passage"]["text"] == text
    assert found(http, "puppy", archive_id=archive_id, search_mode="fts") == []


def test_an_archive_tells_its_model(client: Letta, http: httpx.Client) -> None:
    made = client.archives.create(name="default")
    assert made.embedding_config is not None
    assert made.embedding_config.embedding_dim == 384
    assert made.model_dump()["embedding"] == made.embedding_config.handle
    by_config = client.archives.create(name="config", embedding_config=made.embedding_config.model_dump())
    assert by_config.embedding_config == made.embedding_config
    none = http.post("/v1/archives/", json={"name": "none", "embedding": "none"}).json()
    assert (none["embedding"], none["embedding_config"]) == (None, None)
    with pytest.raises(BadRequestError, match="unknown"):
        client.archives.create(name="x", embedding="nobody/knows-it")
    assert [each.embedding_config for each in client.archives.list(order="asc")] == [
        made.embedding_config,
        made.embedding_config,
        None,
    ]


def test_an_archive_without_a_model_is_searched_by_words(http: httpx.Client) -> None:
    archive = http.post("/v1/archives/", json={"name": "plain", "embedding": "none"}).json()
    http.post(f"/v1/archives/{archive['id']}/passages", json={"text": TEXTS[0]})
    [best] = found(http, "where is the sofa", archive_id=archive["id"])
    assert (best["metadata"]["fts_rank"], best["metadata"]["vector_rank"]) == (1, None)
    refused = http.post(
        "/v1/passages/search", json={"query": "x", "archive_id": archive["id"], "search_mode": "vector"}
    )
    assert refused.status_code == 400
    assert "no vectors to search by" in refused.json()["detail"]


def test_the_model_of_an_archive_can_be_taken_away_and_given(http: httpx.Client, archive_id: str) -> None:
    before = embedded(http, archive_id)
    path = f"/v1/archives/{archive_id}"
    without = http.patch(path, json={"embedding": "none"}).json()
    assert without["embedding"] is None
    embedded(http, archive_id, wanted=False)
    assert found(http, "puppy", archive_id=archive_id) == []
    assert http.patch(path, json={"embedding": None}).json()["embedding"] is not None
    assert embedded(http, archive_id) == before


def test_a_changed_text_gets_a_vector_of_its_own(http: httpx.Client, archive_id: str) -> None:
    before = embedded(http, archive_id)
    [first, *_] = http.get(f"/v1/archives/{archive_id}/passages", params={"order": "asc"}).json()
    path = f"/v1/archives/{archive_id}/passages/{first['id']}"
    http.patch(path, json={"tags": ["x"]})
    assert embedded(http, archive_id) == before
    http.patch(path, json={"text": "The moon is bright."})
    assert embedded(http, archive_id)[0] != before[0]
    assert found(http, "luminous night sky", archive_id=archive_id)[0]["passage"]["id"] == first["id"]
