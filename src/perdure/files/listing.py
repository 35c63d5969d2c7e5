"""Files and passages as clients see them now: how far each is, and what it says where asked for."""

from collections.abc import Sequence

from sqlalchemy import Connection

from perdure.files import folders, store
from perdure.files.schemas import File, wire_file
from perdure.files.store import FileRow
from perdure.kit.paging import Page
from perdure.passages import of_files as passages
from perdure.passages.schemas import Passage, wire_passage
from perdure.tenancy.actor import Actor


def files_of(conn: Connection, actor: Actor, folder_id: str, page: Page, *, content: bool) -> list[File]:
    """A page of the files of a folder."""
    return shown(conn, store.list_(conn, actor, folder_id, page), content=content)


def shown_file(conn: Connection, actor: Actor, folder_id: str, file_id: str, *, content: bool) -> File:
    """One file of a folder."""
    return shown(conn, [store.get(conn, actor, file_id, folder_id)], content=content)[0]


def shown(conn: Connection, rows: Sequence[FileRow], *, content: bool = False) -> list[File]:
    """Files as clients see them. One whose passages all have their vectors by now is completed."""
    embedded = passages.embedded_by_file(conn, [row.id for row in rows if row.chunks])
    texts = store.texts_of(conn, [row.id for row in rows] if content else [])
    return [wire_file(row, embedded.get(row.id, 0), texts.get(row.id)) for row in rows]


def passages_of(conn: Connection, actor: Actor, folder_id: str, page: Page) -> list[Passage]:
    """A page of the passages of a folder."""
    folders.get(conn, actor, folder_id)
    rows = passages.list_of_folder(conn, actor, folder_id, page)
    names = store.names_of(conn, {row.file_id for row in rows if row.file_id})
    return [wire_passage(row).model_copy(update={"file_name": names.get(row.file_id or "")}) for row in rows]
