"""Files, stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from perdure.files import folders
from perdure.files.folders import FolderRow
from perdure.files.tables import file_pieces, file_texts, files
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.tenancy.actor import Actor, is_owned, owned

Status = Literal["pending", "parsing", "embedding", "completed", "error"]
Duplicates = Literal["suffix", "skip", "error", "replace"]
MOST_NAME = 255


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file; the fields are the table's columns in order. Counts are null until it has been read."""

    id: str
    organization_id: str
    folder_id: str
    name: str
    original_name: str
    media_type: str
    charset: str | None
    size: int
    status: Status
    error_message: str | None
    characters: int | None
    lines: int | None
    chunks: int | None
    tries: int
    lease_owner: str | None
    lease_expires: datetime | None
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an upload: the file that is there now, and whether it took another one's place."""

    file: FileRow
    result: Literal["uploaded", "skipped", "replaced"]


class FileNotFound(NotFound):
    """No file of the organization, or of the folder, has this id."""

    def __init__(self, file_id: str, folder_id: str = ""):
        super().__init__(f"There is no file {file_id}{f' in folder {folder_id}' if folder_id else ''}.")


class Duplicate(InvalidArgument):
    """The folder has a file of this name, and the caller wants none twice."""

    def __init__(self, name: str):
        super().__init__(
            f"file: the folder has a file {name!r} already. Choose another name, or a `duplicate_handling` "
            "of suffix, skip or replace."
        )


def file_row(row: Sequence[Any]) -> FileRow:
    """A full row of the table."""
    return FileRow(*row)


def new_file(actor: Actor, folder_id: str, name: str, media_type: str, charset: str | None) -> FileRow:
    """A file that is not stored yet."""
    moment = now()
    return FileRow(
        id=new_id("file"),
        organization_id=actor.organization_id,
        folder_id=folder_id,
        name=name,
        original_name=name,
        media_type=media_type,
        charset=charset,
        size=0,
        status="pending",
        error_message=None,
        characters=None,
        lines=None,
        chunks=None,
        tries=0,
        lease_owner=None,
        lease_expires=None,
        created_by_id=actor.user_id,
        created_at=moment,
        updated_at=moment,
    )


def plain_name(name: str) -> str:
    """The last part of a path as a name that can be stored and shown on one line."""
    last = storable(name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable()).strip()[-MOST_NAME:] or "file"


def suffixed(name: str, taken: frozenset[str]) -> str:
    """The name, or the first of `name_(1).txt`, `name_(2).txt`, … that is free."""
    base, dot, extension = name.rpartition(".")
    if not base:
        base, dot, extension = name, "", ""
    number, candidate = 0, name
    while candidate in taken:
        number += 1
        candidate = f"{base}_({number}){dot}{extension}"
    return candidate


def add_piece(conn: Connection, file_id: str, number: int, content: bytes) -> None:
    """Store a piece of what is being uploaded; nobody sees it before the file is added."""
    row = {"file_id": file_id, "number": number, "content": content, "created_at": now()}
    conn.execute(insert(file_pieces).values(row))


def add(conn: Connection, actor: Actor, file: FileRow, duplicates: Duplicates) -> Stored:
    """Store a file whose pieces are all there; another one of its name is treated as `duplicates` says."""
    folders.hold(conn, actor, file.folder_id)
    found = owned(files, actor).where(files.c.folder_id == file.folder_id, files.c.name == file.name)
    other = conn.execute(found).first()
    result: Literal["uploaded", "replaced"] = "uploaded"
    if other and duplicates == "error":
        raise Duplicate(file.name)
    if other and duplicates == "skip":
        remove_pieces(conn, file.id)
        return Stored(file_row(other), "skipped")
    if other and duplicates == "replace":
        remove(conn, actor, file.folder_id, other.id)
        result = "replaced"
    elif other:
        names = select(files.c.name).where(files.c.folder_id == file.folder_id)
        file = replace(file, name=suffixed(file.name, frozenset(conn.execute(names).scalars())))
    conn.execute(insert(files).values(asdict(file)))
    return Stored(file, result)


def get(conn: Connection, actor: Actor, file_id: str, folder_id: str | None = None) -> FileRow:
    """The file, of this folder where one is named; raises `FileNotFound`."""
    query = owned(files, actor).where(files.c.id == file_id)
    if folder_id:
        query = query.where(files.c.folder_id == folder_id)
    row = conn.execute(query).first()
    if row is None:
        raise FileNotFound(file_id, folder_id or "")
    return file_row(row)


def list_(conn: Connection, actor: Actor, folder_id: str, page: Page) -> list[FileRow]:
    """One page of a folder's files."""
    folders.get(conn, actor, folder_id)
    query = owned(files, actor).where(files.c.folder_id == folder_id)
    return [file_row(row) for row in paginate(conn, query, page, key=files.c.created_at, id=files.c.id)]


def remove(conn: Connection, actor: Actor, folder_id: str, file_id: str) -> None:
    """Delete a file with its text and its passages."""
    mine = is_owned(files, actor) & (files.c.folder_id == folder_id) & (files.c.id == file_id)
    if conn.execute(delete(files).where(mine)).rowcount == 0:
        raise FileNotFound(file_id, folder_id)
    remove_pieces(conn, file_id)


def text_of(conn: Connection, file_id: str) -> str:
    """The whole text of a file; empty until it has been read."""
    return conn.execute(select(file_texts.c.text).where(file_texts.c.file_id == file_id)).scalar() or ""


def texts_of(conn: Connection, file_ids: Sequence[str]) -> Mapping[str, str]:
    """The texts of several files; those that have none are left out."""
    if not file_ids:
        return {}
    query = select(file_texts.c.file_id, file_texts.c.text).where(file_texts.c.file_id.in_(file_ids))
    return dict(conn.execute(query).all())


def names_of(conn: Connection, file_ids: Collection[str]) -> Mapping[str, str]:
    """The names of several files."""
    return dict(conn.execute(select(files.c.id, files.c.name).where(files.c.id.in_(file_ids))).all())


def content_of(conn: Connection, file_id: str) -> bytes:
    """What was uploaded, as long as it is kept."""
    query = select(file_pieces.c.content).where(file_pieces.c.file_id == file_id)
    return b"".join(conn.execute(query.order_by(file_pieces.c.number)).scalars())


def remove_pieces(conn: Connection, file_id: str) -> None:
    """Let go of what was uploaded."""
    conn.execute(delete(file_pieces).where(file_pieces.c.file_id == file_id))


def remove_lost_pieces(conn: Connection, older_than: timedelta) -> None:
    """Let go of what uploads left that never ended, or whose file was deleted."""
    known = select(files.c.id).where(files.c.id == file_pieces.c.file_id)
    lost = (file_pieces.c.created_at < now() - older_than) & ~known.exists()
    conn.execute(delete(file_pieces).where(lost))


@dataclass(frozen=True, slots=True)
class FolderStats:
    """How much is in a folder."""

    folder: FolderRow
    files: Sequence[FileRow]


def stats(conn: Connection, actor: Actor) -> list[FolderStats]:
    """All folders of the organization with their files."""
    query = owned(folders.folders, actor).order_by(folders.folders.c.created_at, folders.folders.c.id)
    rows = [folders.folder_row(row) for row in conn.execute(query)]
    mine = owned(files, actor).order_by(files.c.created_at, files.c.id)
    by_folder: dict[str, list[FileRow]] = {}
    for row in conn.execute(mine):
        by_folder.setdefault(row.folder_id, []).append(file_row(row))
    return [FolderStats(row, by_folder.get(row.id, [])) for row in rows]
