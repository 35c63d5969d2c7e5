"""MCP servers, stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, update
from sqlalchemy.exc import IntegrityError

from perdure.db.rows import picked
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.mcp.tables import mcp_servers, mcp_tools
from perdure.mcp.target import Kind, Secrets
from perdure.tenancy.actor import Actor, is_owned, one, owned
from perdure.tenancy.keyring import KeyRing

TABLE = mcp_servers.name


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server as it is stored; `secrets` is sealed."""

    id: str
    organization_id: str
    name: str
    kind: Kind
    url: str | None
    auth_header: str | None
    command: str | None
    args: list[str] | None
    secrets: str | None
    connected_at: datetime | None
    failed_at: datetime | None
    error: str | None
    drift: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime


class ServerNotFound(NotFound):
    """No MCP server of the organization has this id or name."""

    def __init__(self, server: str):
        super().__init__(f"There is no MCP server {server}.")


def seal(ring: KeyRing, actor: Actor, server_id: str, secrets: Secrets) -> str | None:
    """Secrets as they are stored, before a unit of work stores them; None for none."""
    plain = {name: value for name, value in asdict(secrets).items() if value is not None}
    if not plain:
        return None
    text = orjson.dumps(plain).decode()
    return ring.seal(text, table=TABLE, row=server_id, organization=actor.organization_id)


def opened(ring: KeyRing, row: ServerRow) -> Secrets:
    """A server's secrets in clear."""
    if row.secrets is None:
        return Secrets()
    text = ring.open(row.secrets, table=TABLE, row=row.id, organization=row.organization_id)
    return Secrets(**orjson.loads(text))


def create(conn: Connection, actor: Actor, values: Mapping[str, Any]) -> ServerRow:
    """Store a new server; raises `Conflict` if the organization has one of that name."""
    at = now()
    fixed = {"organization_id": actor.organization_id, "created_at": at, "updated_at": at}
    try:
        conn.execute(insert(mcp_servers).values(**values, **fixed))
    except IntegrityError as error:
        raise _name_taken(values["name"]) from error
    return get(conn, actor, values["id"])


def get(conn: Connection, actor: Actor, server_id: str) -> ServerRow:
    """One server; raises `ServerNotFound`."""
    row = one(conn, mcp_servers, actor, server_id)
    if row is None:
        raise ServerNotFound(server_id)
    return picked(ServerRow, row)


def named(conn: Connection, actor: Actor, name: str) -> ServerRow:
    """The server of this name; raises `ServerNotFound`."""
    row = conn.execute(owned(mcp_servers, actor).where(mcp_servers.c.name == name)).first()
    if row is None:
        raise ServerNotFound(name)
    return picked(ServerRow, row)


def of_tool(conn: Connection, actor: Actor, tool_id: str) -> tuple[ServerRow, str]:
    """The server a tool came from, and the tool's name there; raises `ServerNotFound`."""
    query = (
        owned(mcp_servers, actor)
        .add_columns(mcp_tools.c.name.label("remote_name"))
        .join(mcp_tools, mcp_tools.c.server_id == mcp_servers.c.id)
        .where(mcp_tools.c.tool_id == tool_id)
    )
    row = conn.execute(query).first()
    if row is None:
        raise ServerNotFound(f"with the tool {tool_id}; it was deleted")
    return picked(ServerRow, row), row.remote_name


def all_of(conn: Connection, actor: Actor) -> Sequence[ServerRow]:
    """Every server of the organization, oldest first."""
    query = owned(mcp_servers, actor).order_by(mcp_servers.c.created_at, mcp_servers.c.id)
    return [picked(ServerRow, row) for row in conn.execute(query)]


def change(conn: Connection, actor: Actor, server_id: str, values: Mapping[str, Any]) -> ServerRow:
    """Change some columns of a server; raises `Conflict` for the name of another."""
    statement = update(mcp_servers).where(is_owned(mcp_servers, actor), mcp_servers.c.id == server_id)
    try:
        conn.execute(statement.values(**values, updated_at=now()))
    except IntegrityError as error:
        raise _name_taken(values["name"]) from error
    return get(conn, actor, server_id)


def remove(conn: Connection, actor: Actor, server_id: str) -> None:
    """Delete a server, whose tools must be gone already; its name is free again."""
    conn.execute(delete(mcp_servers).where(is_owned(mcp_servers, actor), mcp_servers.c.id == server_id))


def note_connected(conn: Connection, server_id: str, drift: Mapping[str, Any] | None) -> None:
    """That a server answered, and how its tools differ from those stored here (None: not at all)."""
    values = {"connected_at": now(), "error": None, "drift": drift}
    conn.execute(update(mcp_servers).where(mcp_servers.c.id == server_id).values(values))


def note_failed(conn: Connection, server_id: str, error: str) -> None:
    """That a server could not be connected to, and why."""
    values = {"failed_at": now(), "error": error}
    conn.execute(update(mcp_servers).where(mcp_servers.c.id == server_id).values(values))


def args_of(row: ServerRow) -> list[str]:
    """The arguments of a command."""
    return row.args or []


def _name_taken(name: str) -> Conflict:
    return Conflict(
        f"An MCP server named {name!r} exists already; PATCH it, delete it or choose another name."
    )
