"""The passages of an archive."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from perdure.archives import store
from perdure.kit.paging import Page
from perdure.passages import store as passages
from perdure.passages.store import PassageFilter, PassageNotFound, PassageRow
from perdure.tenancy.actor import Actor


def list_passages(
    conn: Connection, actor: Actor, archive_id: str, page: Page, wanted: PassageFilter
) -> list[PassageRow]:
    """A page of an archive's passages, by their time; raises `ArchiveNotFound`."""
    store.get(conn, actor, archive_id)
    return passages.list_(conn, actor, page, replace(wanted, archive_ids=[archive_id]))


def passage_in(conn: Connection, actor: Actor, archive_id: str, passage_id: str) -> PassageRow:
    """A passage of an archive; raises `PassageNotFound` for one that is elsewhere."""
    store.get(conn, actor, archive_id)
    passage = passages.get(conn, actor, passage_id)
    if passage.archive_id != archive_id:
        raise PassageNotFound(passage_id, f" in archive {archive_id}")
    return passage


def change_passage(
    conn: Connection, actor: Actor, archive_id: str, passage_id: str, changes: Mapping[str, Any]
) -> PassageRow:
    """Change a passage of an archive."""
    passage = passage_in(conn, actor, archive_id, passage_id)
    return passages.change(conn, actor, passage, changes, store.get(conn, actor, archive_id).space)


def remove_passage(conn: Connection, actor: Actor, archive_id: str, passage_id: str) -> None:
    """Delete a passage of an archive."""
    passages.remove(conn, actor, passage_in(conn, actor, archive_id, passage_id))
