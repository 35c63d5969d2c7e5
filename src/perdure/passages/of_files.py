"""Passages that are pieces of files: listed by folder, counted by file, removed with what they are of."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from perdure.kit.paging import Page, paginate
from perdure.passages.store import PassageRow, passage_row
from perdure.passages.tables import PASSAGES, passages
from perdure.tenancy.actor import Actor, owned

ENTRIES = PASSAGES.entries
DONE = ENTRIES.c.space.is_(None) | (ENTRIES.c.embedded == ENTRIES.c.space)


def list_of_folder(conn: Connection, actor: Actor, folder_id: str, page: Page) -> list[PassageRow]:
    """One page of the passages of a folder's files."""
    query = owned(passages, actor).where(passages.c.source_id == folder_id)
    rows = paginate(conn, query, page, key=passages.c.created_at, id=passages.c.id)
    return [passage_row(row) for row in rows]


def embedded_by_file(conn: Connection, file_ids: Sequence[str]) -> dict[str, int]:
    """How many passages of each file have their vectors; files without any are left out."""
    if not file_ids:
        return {}
    query = (
        select(passages.c.file_id, func.count())
        .join(ENTRIES, ENTRIES.c.id == passages.c.id)
        .where(passages.c.file_id.in_(file_ids), ENTRIES.c.embedded.is_not(None))
        .group_by(passages.c.file_id)
    )
    return dict(conn.execute(query).all())


def still_waiting(conn: Connection, file_ids: Sequence[str]) -> set[str]:
    """Those of the files that have a passage without its vector."""
    query = (
        select(passages.c.file_id)
        .join(ENTRIES, ENTRIES.c.id == passages.c.id)
        .where(passages.c.file_id.in_(file_ids), ~DONE)
        .distinct()
    )
    return set(conn.execute(query).scalars())


def remove_of_file(conn: Connection, file_id: str) -> None:
    """Delete the passages of a file, which is to be parted anew."""
    conn.execute(delete(passages).where(passages.c.file_id == file_id))
