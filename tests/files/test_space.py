"""A disk that is full: the upload is refused with a word, nothing of it stays, the rest goes on."""

import errno
from tempfile import SpooledTemporaryFile

import httpx
import pytest
from letta_client import APIStatusError, Letta
from sqlalchemy import text
from tests.files.uploads import read, upload

from perdure.config import Settings
from perdure.files.tables import file_pieces
from perdure.testing.live import serve
from perdure.testing.scripted import ScriptedModel


def test_a_full_database_refuses_an_upload_and_goes_on(tmp_path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "models": {"detect": False}})
    for live in serve(settings, ScriptedModel()):
        with Letta(base_url=live.url, api_key="x", max_retries=0) as client:
            folder = client.folders.create(name="f")
            pages = live.run(lambda conn: conn.execute(text("PRAGMA page_count")).scalar_one(), write=True)
            fill = text(f"PRAGMA max_page_count = {pages + 400}")
            live.run(lambda conn, most: conn.execute(most), fill, write=True)
            with pytest.raises(APIStatusError, match="The server's disk is full") as caught:
                upload(client, folder.id, "a.txt", "x" * 3_000_000)
            assert caught.value.status_code == 507
            assert list(client.folders.files.list(folder.id)) == []
            assert live.run(lambda conn: conn.execute(file_pieces.select()).all()) == []
            assert read(client, folder.id, "b.txt", "small").content == "small"


def test_a_full_temporary_folder_refuses_an_upload(http: httpx.Client, client: Letta, monkeypatch) -> None:
    folder = client.folders.create(name="f")

    def full(_self: object, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(SpooledTemporaryFile, "write", full)
        answer = http.post(f"/v1/folders/{folder.id}/upload", files={"file": ("a.txt", b"x" * 100)})
    assert (answer.status_code, answer.json()["detail"][:25]) == (507, "The server's disk is full")
    assert read(client, folder.id, "a.txt", "fine").content == "fine"
