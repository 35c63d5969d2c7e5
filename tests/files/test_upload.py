"""Files that are uploaded: kinds, names, sizes, and what is refused."""

from pathlib import Path

import httpx
import pytest
from letta_client import APIStatusError, BadRequestError, Letta, NotFoundError
from tests.files.uploads import read, settled, upload

from perdure.files.store import plain_name, suffixed

CORPUS = Path("tests/documents/corpus")


def test_a_file_is_read_and_parted(client: Letta, folder_id: str) -> None:
    sent = upload(client, folder_id, "fees.md", "# Fees\n\nUnder 20 m: 35.50\n", "text/markdown")
    assert (sent.processing_status, sent.file_name, sent.file_type, sent.file_size) == (
        "pending",
        "fees.md",
        "text/markdown",
        26,
    )
    file = settled(client, sent)
    assert (file.processing_status, file.error_message, file.total_chunks) == ("completed", None, 1)
    assert file.content == "# Fees\n\nUnder 20 m: 35.50\n"
    [passage] = client.get(f"/v1/folders/{folder_id}/passages", cast_to=list[object])
    assert passage["text"] == "# Fees\n\nUnder 20 m: 35.50"
    assert (passage["source_id"], passage["file_id"], passage["file_name"]) == (folder_id, file.id, "fees.md")
    assert passage["metadata"] == {"first_line": 1, "last_line": 3}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("python-docx.docx", "## Winter rules\n\n1. Keep the propeller"),
        ("weasyprint.pdf", "[Page 1]\nHarbour handbook"),
        ("pandoc.html", "| under 20 m | 35.50 |"),
    ],
)
def test_documents_of_other_programs_are_read(client: Letta, folder_id: str, name: str, kept: str) -> None:
    file = read(client, folder_id, name, (CORPUS / name).read_bytes())
    assert (file.processing_status, file.error_message) == ("completed", None)
    assert kept in file.content


@pytest.mark.parametrize(
    ("name", "content", "media_type", "text"),
    [
        ("a.txt", "Åse\r\nOda\r", "text/plain", "Åse\nOda\n"),
        ("b.txt", "Åse".encode("utf-16"), "text/plain", "Åse"),
        ("c.txt", "Łódź".encode("iso-8859-2"), "text/plain; charset=iso-8859-2", "Łódź"),
        ("d.csv", "a,b\n1,2\n", "", "a,b\n1,2\n"),
        ("e.json", '{"a": 1}', "", '{"a": 1}'),
        ("main.rs", "fn main() {}\n", "", "fn main() {}\n"),
        ("Makefile", "all:\n\ttrue\n", "", "all:\n\ttrue\n"),
        ("noted", "just text", "", "just text"),
        ("empty.txt", "", "text/plain", ""),
    ],
)
def test_texts_are_read_as_they_are(client: Letta, folder_id: str, name, content, media_type, text) -> None:
    file = read(client, folder_id, name, content, media_type)
    assert (file.processing_status, file.content) == ("completed", text)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pdf", b"\x89PNG\r\n\x1a\n", "named as a PDF and is none"),
        ("a.docx", b"hello", "named as a Word document and is none"),
        ("a.docx", b"PK\x03\x04 nothing", "could not be read"),
        ("a.txt", b"\0\1\2\3", "named as text and is none"),
        ("a.pdf", b"%PDF-1.7 nonsense", "could not be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(client: Letta, folder_id: str, name, content, why) -> None:
    file = read(client, folder_id, name, content)
    assert file.processing_status == "error"
    assert why in file.error_message
    assert file.content is None


def test_a_file_of_a_kind_that_is_not_read_is_refused(
    client: Letta, http: httpx.Client, folder_id: str
) -> None:
    with pytest.raises(APIStatusError, match=r"photo.png: files of this type .* are not read") as caught:
        upload(client, folder_id, "photo.png", b"\x89PNG\r\n\x1a\n\0", "image/png")
    assert caught.value.status_code == 415
    assert list(client.folders.files.list(folder_id)) == []


def test_a_second_file_of_one_name_is_treated_as_asked(
    client: Letta, http: httpx.Client, folder_id: str
) -> None:
    first = read(client, folder_id, "a.txt", "one")
    second = upload(client, folder_id, "a.txt", "two")
    assert (second.file_name, second.original_file_name) == ("a_(1).txt", "a.txt")
    assert upload(client, folder_id, "a.txt", "three").file_name == "a_(2).txt"
    with pytest.raises(BadRequestError, match=r"has a file 'a.txt' already"):
        upload(client, folder_id, "a.txt", "four", duplicate_handling="error")
    raw = client.folders.files.with_raw_response.upload(
        folder_id, file=("a.txt", b"five"), duplicate_handling="skip"
    )
    assert (raw.parse().id, raw.headers["x-upload-result"]) == (first.id, "skipped")
    raw = client.folders.files.with_raw_response.upload(
        folder_id, file=("a.txt", b"six"), duplicate_handling="replace"
    )
    replaced = raw.parse()
    assert (replaced.file_name, raw.headers["x-upload-result"]) == ("a.txt", "replaced")
    assert settled(client, replaced).content == "six"
    with pytest.raises(NotFoundError):
        client.folders.files.retrieve(first.id, folder_id=folder_id)
    names = sorted(str(file.file_name) for file in client.folders.files.list(folder_id))
    assert names == ["a.txt", "a_(1).txt", "a_(2).txt"]


def test_an_upload_may_be_given_another_name(client: Letta, folder_id: str) -> None:
    file = upload(client, folder_id, "C:\\temp\\x.md", "# x", name="notes/plan.md")
    assert (file.file_name, file.original_file_name) == ("plan.md", "x.md")


def test_a_file_that_is_too_large_is_refused(client: Letta, live, folder_id: str, monkeypatch) -> None:
    monkeypatch.setattr(live.settings.files, "max_bytes", 1000)
    for size in (1001, 3_000_000):
        with pytest.raises(APIStatusError, match="larger than 1000 bytes") as caught:
            upload(client, folder_id, "a.txt", b"x" * size)
        assert caught.value.status_code == 413
    assert read(client, folder_id, "a.txt", b"x" * 1000).processing_status == "completed"


def test_a_large_file_without_a_stated_length_is_refused(
    http: httpx.Client, live, folder_id, monkeypatch
) -> None:
    monkeypatch.setattr(live.settings.files, "max_bytes", 1000)
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'

    def body():
        yield begin
        for _ in range(200):
            yield b"y" * 1000

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = http.post(f"/v1/folders/{folder_id}/upload", content=body(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"file": "x"}},
        {"files": {"other": ("a.txt", b"x")}},
        {"data": {"file": "x"}, "files": {"z": ("a", b"")}},
        {"content": b"broken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"broken", "headers": {"content-type": "multipart/form-data"}},
    ],
)
def test_a_body_without_a_file_is_refused(http: httpx.Client, folder_id: str, request_) -> None:
    answer = http.post(f"/v1/folders/{folder_id}/upload", **request_)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"].startswith("file: ")


def test_files_are_listed_in_pages(client: Letta, folder_id: str) -> None:
    made = [upload(client, folder_id, f"{n}.txt", str(n)).id for n in range(5)]
    listed = client.folders.files.list(folder_id, limit=2, order="asc", include_content=True)
    assert [file.id for file in listed] == made
    assert [file.id for file in client.folders.files.list(folder_id, limit=2)] == made[::-1]


def test_a_deleted_file_takes_its_passages_along(client: Letta, http: httpx.Client, folder_id: str) -> None:
    file = read(client, folder_id, "a.txt", "hello")
    read(client, folder_id, "b.txt", "there")
    client.folders.files.delete(file.id, folder_id=folder_id)
    texts = [passage["text"] for passage in http.get(f"/v1/folders/{folder_id}/passages").json()]
    assert texts == ["there"]
    with pytest.raises(NotFoundError):
        client.folders.files.delete(file.id, folder_id=folder_id)
    client.folders.delete(folder_id)
    assert http.get(f"/v1/folders/{folder_id}/passages").status_code == 404


def test_names_are_told_from_paths() -> None:
    assert plain_name("/tmp/a.txt") == "a.txt"
    assert plain_name("a\nb\0.txt") == "ab.txt"
    assert plain_name("../..") == ".."
    assert plain_name("") == "file"
    assert plain_name("x" * 300 + ".md").endswith("x.md")
    assert suffixed("a.tar.gz", frozenset({"a.tar.gz", "a.tar_(1).gz"})) == "a.tar_(2).gz"
    assert suffixed(".env", frozenset({".env"})) == ".env_(1)"
    assert suffixed("b", frozenset({"a"})) == "b"
