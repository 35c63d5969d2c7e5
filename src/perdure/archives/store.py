"""Archives, stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, column, delete, insert, select, table, update

from perdure.archives.tables import archives
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.tenancy.actor import Actor, is_owned, one, owned

# The links of archives to agents belong to `agents`; like a foreign key, this names their table only.
LINKS = table("agents_archives", column("agent_id"), column("archive_id"))
Hold = Literal["shared", "alone"]


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """An archive; the fields are the table's columns in order."""

    id: str
    organization_id: str
    name: str
    description: str | None
    embedding: str | None
    space: str | None
    deduplicate: bool
    metadata: Mapping[str, Any]
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ArchiveFilter:
    """Which archives a list is about; unset fields let everything pass."""

    name: str | None = None
    agent_id: str | None = None


class ArchiveNotFound(NotFound):
    """No such archive for this organization."""

    def __init__(self, archive_id: str):
        super().__init__(f"There is no archive {archive_id}.")


def archive_row(row: Row[Any]) -> ArchiveRow:
    """A full row of the table."""
    return ArchiveRow(*row)


def get(conn: Connection, actor: Actor, archive_id: str, *, hold: Hold | None = None) -> ArchiveRow:
    """The archive; raises `ArchiveNotFound`.

    It is held until the transaction ends: `shared` with others that want it not to change, or `alone`.
    """
    if hold:
        query = owned(archives, actor).where(archives.c.id == archive_id)
        held = query.with_for_update(read=hold == "shared", key_share=hold == "alone")
        row = conn.execute(held).first()
    else:
        row = one(conn, archives, actor, archive_id)
    if row is None:
        raise ArchiveNotFound(archive_id)
    return archive_row(row)


def list_(conn: Connection, actor: Actor, page: Page, wanted: ArchiveFilter) -> list[ArchiveRow]:
    """One page of the archives."""
    query = owned(archives, actor)
    if wanted.name is not None:
        query = query.where(archives.c.name == wanted.name)
    if wanted.agent_id is not None:
        had = select(LINKS.c.archive_id).where(LINKS.c.agent_id == wanted.agent_id)
        query = query.where(archives.c.id.in_(had))
    rows = paginate(conn, query, page, key=archives.c.created_at, id=archives.c.id)
    return [archive_row(row) for row in rows]


def create(conn: Connection, actor: Actor, values: Mapping[str, Any]) -> ArchiveRow:
    """Make an archive of columns by name; a `name` at least."""
    moment = now()
    defaults: dict[str, Any] = {
        "description": None,
        "embedding": None,
        "space": None,
        "deduplicate": False,
        "metadata": {},
    }
    row = ArchiveRow(
        **{**defaults, **storable(dict(values))},
        id=new_id("archive"),
        organization_id=actor.organization_id,
        created_by_id=actor.user_id,
        last_updated_by_id=actor.user_id,
        created_at=moment,
        updated_at=moment,
    )
    named = {name: getattr(row, name) for name in ArchiveRow.__slots__}
    conn.execute(insert(archives).values(named))
    return row


def change(conn: Connection, actor: Actor, archive_id: str, values: Mapping[str, Any]) -> ArchiveRow:
    """Change columns by name; same values change nothing."""
    archive = get(conn, actor, archive_id, hold="alone")
    changed = storable({name: value for name, value in values.items() if getattr(archive, name) != value})
    if not changed:
        return archive
    stamped = {**changed, "updated_at": now(), "last_updated_by_id": actor.user_id}
    conn.execute(update(archives).where(_is(actor, archive_id)).values(stamped))
    return get(conn, actor, archive_id)


def remove(conn: Connection, actor: Actor, archive_id: str) -> None:
    """Delete an archive with its passages; agents that had it have it no more."""
    if conn.execute(delete(archives).where(_is(actor, archive_id))).rowcount == 0:
        raise ArchiveNotFound(archive_id)


def _is(actor: Actor, archive_id: str) -> Any:
    return is_owned(archives, actor) & (archives.c.id == archive_id)
