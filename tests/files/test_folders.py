"""Folders, through the official client and under their older name."""

import httpx
import pytest
from letta_client import ConflictError, Letta, NotFoundError, UnprocessableEntityError
from tests.files.uploads import read


def test_a_folder_is_made_read_changed_and_deleted(client: Letta) -> None:
    made = client.folders.create(
        name="handbook", description="How ships enter.", instructions="Quote it.", metadata={"a": 1}
    )
    assert made.id.startswith("source-")
    assert (made.name, made.description, made.instructions, made.metadata) == (
        "handbook",
        "How ships enter.",
        "Quote it.",
        {"a": 1},
    )
    assert made.embedding_config.embedding_chunk_size == 300
    changed = client.folders.update(made.id, name="rules", description=None)
    assert (changed.name, changed.description, changed.instructions) == ("rules", None, "Quote it.")
    assert client.folders.retrieve(made.id) == changed
    client.folders.delete(made.id)
    for gone in (client.folders.retrieve, client.folders.delete):
        with pytest.raises(NotFoundError, match="There is no folder"):
            gone(made.id)


def test_a_name_is_of_one_folder_of_an_organization(client: Letta) -> None:
    client.folders.create(name="handbook")
    other = client.folders.create(name="other")
    with pytest.raises(ConflictError, match="there is a folder 'handbook' already"):
        client.folders.create(name="handbook")
    with pytest.raises(ConflictError, match="handbook"):
        client.folders.update(other.id, name="handbook")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\nb", "x" * 256])
def test_a_name_is_one_line_without_slashes(client: Letta, name: str) -> None:
    with pytest.raises(UnprocessableEntityError, match="name"):
        client.folders.create(name=name)


def test_folders_are_listed_in_pages_found_by_name_and_counted(client: Letta, http: httpx.Client) -> None:
    made = [client.folders.create(name=f"folder {n}").id for n in range(5)]
    assert [folder.id for folder in client.folders.list(limit=2)] == made
    assert [folder.id for folder in client.folders.list(limit=2, order="desc")] == made[::-1]
    assert [folder.id for folder in client.folders.list(name="folder 3")] == [made[3]]
    assert http.get("/v1/folders/name/folder 3").json() == made[3]
    assert http.get("/v1/folders/name/nothing").status_code == 404
    odd = client.folders.create(name="agents").id
    assert http.get("/v1/folders/name/agents").json() == odd
    assert http.get("/v1/folders/count").json() == 6


def test_what_folders_hold_is_told_in_sum_and_in_detail(
    client: Letta, http: httpx.Client, folder_id: str
) -> None:
    client.folders.create(name="empty")
    file = read(client, folder_id, "a.txt", "hello")
    told = http.get("/v1/folders/metadata").json()
    assert told == {"total_sources": 2, "total_files": 1, "total_size": 5, "sources": []}
    told = http.get("/v1/folders/metadata", params={"include_detailed_per_source_metadata": True}).json()
    assert told["sources"][0] == {
        "source_id": folder_id,
        "source_name": "handbook",
        "file_count": 1,
        "total_size": 5,
        "files": [{"file_id": file.id, "file_name": "a.txt", "file_size": 5}],
    }
    assert told["sources"][1]["file_count"] == 0


def test_sources_are_the_same_folders(client: Letta, http: httpx.Client) -> None:
    made = http.post("/v1/sources/", json={"name": "old", "embedding_chunk_size": 50}).json()
    assert made["embedding_config"]["embedding_chunk_size"] == 50
    assert client.folders.retrieve(made["id"]).name == "old"
    assert [each["id"] for each in http.get("/v1/sources/").json()] == [made["id"]]
    assert http.get("/v1/sources/count").json() == 1
    assert http.get("/v1/sources/metadata").json()["total_sources"] == 1
    assert http.get("/v1/sources/name/old").json() == made["id"]
    assert http.patch(f"/v1/sources/{made['id']}", json={"name": "new"}).json()["name"] == "new"
    sent = http.post(f"/v1/sources/{made['id']}/upload", files={"file": ("a.txt", b"x", "text/plain")}).json()
    assert [file["id"] for file in http.get(f"/v1/sources/{made['id']}/files").json()] == [sent["id"]]
    assert http.get(f"/v1/sources/{made['id']}/files/{sent['id']}").json()["file_name"] == "a.txt"
    assert http.delete(f"/v1/sources/{made['id']}/{sent['id']}").status_code == 204
    assert http.delete(f"/v1/sources/{made['id']}").json() is None
    assert http.get(f"/v1/sources/{made['id']}").status_code == 404


def test_an_unknown_embedding_model_is_refused(client: Letta, http: httpx.Client) -> None:
    answer = http.post("/v1/folders/", json={"name": "x", "embedding": "nobody/nothing"})
    assert answer.status_code == 400
    assert "nobody/nothing" in answer.json()["detail"]
    assert http.get("/v1/folders/count").json() == 0


def test_an_older_config_names_no_size_that_passages_cannot_have(http: httpx.Client) -> None:
    config = {"embedding_endpoint_type": "none", "embedding_model": "", "embedding_dim": 0, "handle": "none"}
    for asked, kept in ((-1, 20), (10**9, 4000)):
        body = {"name": f"f{asked}", "embedding_config": {**config, "embedding_chunk_size": asked}}
        made = http.post("/v1/folders/", json=body).json()
        assert made["embedding_config"]["embedding_chunk_size"] == kept
