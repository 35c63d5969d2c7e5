"""Put passages into an archive."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from perdure.archives import store
from perdure.archives.store import ArchiveRow
from perdure.passages import store as passages
from perdure.passages.store import NewPassage, PassageRow, Place, Provenance
from perdure.tenancy.actor import Actor


def insert(
    conn: Connection,
    actor: Actor,
    archive_id: str,
    items: Sequence[NewPassage],
    provenance: Provenance | None = None,
    deduplicate: bool | None = None,
) -> list[PassageRow]:
    """Store passages, all or none; returns one for each, in order.

    Where duplicates are not wanted, by this request or else by the archive, a text that the archive has
    already is not stored again: that passage gets the new tags and stands in its place.
    """
    if deduplicate is None:
        deduplicate = store.get(conn, actor, archive_id).deduplicate
    # Its model stays what it is; and of two inserts without duplicates one sees what the other stored.
    archive = store.get(conn, actor, archive_id, hold="alone" if deduplicate else "shared")
    rows = passages.new_rows(actor, Place(archive.id), items, provenance)
    if deduplicate:
        return _new_only(conn, actor, archive, rows)
    passages.add(conn, rows, archive.space)
    return rows


def _new_only(
    conn: Connection, actor: Actor, archive: ArchiveRow, rows: Sequence[PassageRow]
) -> list[PassageRow]:
    before = passages.by_digests(conn, actor, archive.id, [row.digest for row in rows])
    kept = dict(before)
    for row in rows:
        kept[row.digest] = _joined(kept.get(row.digest, row), row)
    passages.add(conn, [row for digest, row in kept.items() if digest not in before], archive.space)
    for digest, old in before.items():
        kept[digest] = passages.change(conn, actor, old, {"tags": kept[digest].tags}, archive.space)
    return [kept[row.digest] for row in rows]


def _joined(kept: PassageRow, same: PassageRow) -> PassageRow:
    return replace(kept, tags=list(dict.fromkeys([*kept.tags, *same.tags])))
