"""Who acts: every unit of work that touches a tenant's rows takes an Actor."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, select

DEFAULT_ORGANIZATION = "org-00000000-0000-4000-8000-000000000000"
DEFAULT_USER = "user-00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller: its organization decides what it sees, its user is noted on what it makes.

    `tool_of` is the run whose tool calls, with a token of `run_tokens`.
    """

    organization_id: str = DEFAULT_ORGANIZATION
    user_id: str = DEFAULT_USER
    admin: bool = False
    tool_of: str | None = None


def owned(table: Table, actor: Actor) -> Select[Any]:
    """All rows of a tenant's table that the actor may see: the one place where tenants part."""
    return select(table).where(is_owned(table, actor))


def is_owned(table: Table, actor: Actor) -> ColumnElement[bool]:
    """The same as a condition, for updates, deletes and joins."""
    return table.c.organization_id == actor.organization_id


def one(conn: Connection, table: Table, actor: Actor, id: str) -> Row[Any] | None:
    """The row of a tenant's table with this id; None when there is none that the actor may see."""
    return conn.execute(_by_id(table), {"organization_id": actor.organization_id, "id": id}).first()


@cache
def _by_id(table: Table) -> Select[Any]:
    """Built once for each table: building a statement costs more than running it."""
    return select(table).where(
        table.c.organization_id == bindparam("organization_id"), table.c.id == bindparam("id")
    )


async def _of_request(request: Request) -> Actor:
    return await request.app.state.authenticate(request)


CurrentActor = Annotated[Actor, Depends(_of_request)]
