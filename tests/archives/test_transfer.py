"""Archives as lines of JSON: out and in again."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from letta_client import Letta

from perdure.archives import store, transfer
from perdure.archives.insert import insert
from perdure.archives.transfer import lines_of
from perdure.db import Database
from perdure.passages.store import NewPassage, get, remove
from perdure.tenancy.actor import Actor


@pytest.fixture
def archive_id(client: Letta) -> str:
    return client.archives.create(name="notes").id


def exported(http: httpx.Client, archive_id: str) -> list[dict]:
    answer = http.get(f"/v1/archives/{archive_id}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.split("\n") if line]


def brought(http: httpx.Client, archive_id: str, lines: list[dict | str], **query) -> httpx.Response:
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return http.post(f"/v1/archives/{archive_id}/import", content=body, params=query)


def test_what_is_exported_can_be_imported(client: Letta, http: httpx.Client, archive_id: str) -> None:
    passages = [
        {
            "text": f"line\n{n}",
            "tags": [str(n % 3)],
            "metadata": {"n": n},
            "created_at": f"2026-01-01T00:{n % 60:02}:00Z",
        }
        for n in range(1201)
    ]
    client.archives.passages.create_many(archive_id, passages=passages)
    out = exported(http, archive_id)
    assert len(out) == 1201
    assert [line["created_at"] for line in out] == sorted(line["created_at"] for line in out)
    other = client.archives.create(name="other").id
    assert brought(http, other, out).json() == {"passages": 1201}

    def said(lines: list[dict]) -> list[tuple]:
        return sorted(
            (line["created_at"], line["text"], line["tags"], line["metadata"]["n"]) for line in lines
        )

    assert said(exported(http, other)) == said(out)
    assert brought(http, other, out, deduplicate=True).json() == {"passages": 1201}
    assert len(exported(http, other)) == 1201


def test_a_bad_line_is_named_and_what_came_before_it_stays(
    client: Letta, http: httpx.Client, archive_id: str
) -> None:
    good = [{"text": str(n)} for n in range(600)]
    for bad, why in (
        ("{", "no JSON"),
        ({"tags": []}, "text: Field required"),
        ({"text": "x " * 20_000}, "8192"),
    ):
        answer = brought(http, archive_id, [*good, "", bad], deduplicate=True)
        assert answer.status_code == 400
        assert "line 602:" in answer.json()["detail"]
        assert why in answer.json()["detail"]
        assert "The first 500 passages were stored" in answer.json()["detail"]
    assert len(exported(http, archive_id)) == 500


def test_an_empty_archive_is_no_lines(http: httpx.Client, archive_id: str) -> None:
    assert exported(http, archive_id) == []
    assert brought(http, archive_id, []).json() == {"passages": 0}


@given(st.lists(st.binary(max_size=5), max_size=20))
async def test_lines_do_not_depend_on_how_a_body_is_cut(pieces: list[bytes]) -> None:
    async def body():
        for piece in pieces:
            yield piece

    lines = [line async for line in lines_of(body())]
    whole = b"".join(pieces).split(b"\n")
    assert lines == (whole if whole[-1] else whole[:-1])


async def test_what_is_deleted_meanwhile_makes_no_export_begin_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "AT_ONCE", 3)
    actor = Actor()
    archive = await database.write(store.create, actor, {"name": "notes"})
    items = [NewPassage(str(number)) for number in range(9)]
    await database.write(insert, actor, archive.id, items)
    texts: list[str] = []
    async for lines in transfer.exported(database, actor, archive.id):
        told = [json.loads(line) for line in lines.splitlines()]
        texts += [line["text"] for line in told]
        last = await database.read(get, actor, told[-1]["id"])
        await database.write(remove, actor, last)
        assert len(texts) <= len(items)
    assert texts == [item.text for item in items]
