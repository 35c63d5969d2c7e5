"""Folders, stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from perdure.files.tables import folders
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.tenancy.actor import Actor, is_owned, one, owned


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder; the fields are the table's columns in order. `embedding` is null for the server's default."""

    id: str
    organization_id: str
    name: str
    description: str | None
    instructions: str | None
    metadata: Mapping[str, Any]
    embedding: str | None
    chunk_size: int
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: datetime
    updated_at: datetime


class FolderNotFound(NotFound):
    """No folder of the organization has this id."""

    def __init__(self, folder_id: str):
        super().__init__(f"There is no folder {folder_id}.")


class NameTaken(Conflict):
    """Another folder of the organization has this name."""

    def __init__(self, name: str):
        super().__init__(f"name: there is a folder {name!r} already; choose another name.")


def folder_row(row: Sequence[Any]) -> FolderRow:
    """A full row of the table."""
    return FolderRow(*row)


def get(conn: Connection, actor: Actor, folder_id: str) -> FolderRow:
    """The folder; raises `FolderNotFound`."""
    row = one(conn, folders, actor, folder_id)
    if row is None:
        raise FolderNotFound(folder_id)
    return folder_row(row)


def hold(conn: Connection, actor: Actor, folder_id: str) -> FolderRow:
    """The folder, kept from others who would change what is in it until the transaction ends."""
    query = owned(folders, actor).where(folders.c.id == folder_id)
    row = conn.execute(query.with_for_update(key_share=True)).first()
    if row is None:
        raise FolderNotFound(folder_id)
    return folder_row(row)


def by_ids(conn: Connection, actor: Actor, folder_ids: Sequence[str]) -> dict[str, FolderRow]:
    """The folders of these ids; unknown ones are left out."""
    rows = conn.execute(owned(folders, actor).where(folders.c.id.in_(folder_ids)))
    return {row.id: folder_row(row) for row in rows}


def id_of_name(conn: Connection, actor: Actor, name: str) -> str:
    """The id of the folder of this name."""
    query = select(folders.c.id).where(is_owned(folders, actor), folders.c.name == name)
    found = conn.execute(query).scalar()
    if found is None:
        raise NotFound(f"There is no folder named {name!r}.")
    return found


def list_(conn: Connection, actor: Actor, page: Page, name: str | None = None) -> list[FolderRow]:
    """One page of the folders, or the one of this name."""
    query = owned(folders, actor)
    if name is not None:
        query = query.where(folders.c.name == name)
    rows = paginate(conn, query, page, key=folders.c.created_at, id=folders.c.id)
    return [folder_row(row) for row in rows]


def count(conn: Connection, actor: Actor) -> int:
    """How many folders the organization has."""
    query = select(func.count()).select_from(folders).where(is_owned(folders, actor))
    return conn.execute(query).scalar_one()


def create(conn: Connection, actor: Actor, values: Mapping[str, Any]) -> FolderRow:
    """Make a folder of columns by name; raises `NameTaken`."""
    moment = now()
    row = FolderRow(
        id=new_id("source"),
        organization_id=actor.organization_id,
        created_by_id=actor.user_id,
        last_updated_by_id=actor.user_id,
        created_at=moment,
        updated_at=moment,
        **storable(dict(values)),
    )
    try:
        conn.execute(insert(folders).values(asdict(row)))
    except IntegrityError as error:
        raise NameTaken(row.name) from error
    return row


def change(conn: Connection, actor: Actor, folder_id: str, values: Mapping[str, Any]) -> FolderRow:
    """Change columns by name."""
    stamped = {**storable(dict(values)), "updated_at": now(), "last_updated_by_id": actor.user_id}
    mine = is_owned(folders, actor) & (folders.c.id == folder_id)
    try:
        conn.execute(update(folders).where(mine).values(stamped))
    except IntegrityError as error:
        raise NameTaken(values["name"]) from error
    return get(conn, actor, folder_id)


def remove(conn: Connection, actor: Actor, folder_id: str) -> None:
    """Delete a folder with its files."""
    mine = is_owned(folders, actor) & (folders.c.id == folder_id)
    if conn.execute(delete(folders).where(mine)).rowcount == 0:
        raise FolderNotFound(folder_id)
