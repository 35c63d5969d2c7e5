"""The tools that came from MCP servers: bringing them up to date, and what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.kit.text import storable
from perdure.mcp import store
from perdure.mcp.remote import RemoteTool, is_usable, local_name, schema_health
from perdure.mcp.schemas import Changes
from perdure.mcp.store import ServerRow
from perdure.mcp.tables import mcp_tools
from perdure.tenancy.actor import Actor, owned
from perdure.tools.store import RETURN_CHAR_LIMIT, ToolNotFound, ToolRow, tool_row
from perdure.tools.tables import tools

KIND = "external_mcp"
TAG = "mcp:"


@dataclass(frozen=True, slots=True)
class Registered:
    """One of our tools and what its server calls it."""

    tool: ToolRow
    name: str
    digest: str


def registered(conn: Connection, actor: Actor, server_id: str) -> list[Registered]:
    """The tools of a server, by their remote names."""
    query = (
        owned(tools, actor)
        .add_columns(mcp_tools.c.name.label("remote_name"), mcp_tools.c.digest.label("remote_digest"))
        .join(mcp_tools, mcp_tools.c.tool_id == tools.c.id)
        .where(mcp_tools.c.server_id == server_id)
        .order_by(mcp_tools.c.name)
    )
    width = len(tools.c)
    return [Registered(ToolRow(*row[:width]), *row[width:]) for row in conn.execute(query)]


def get(conn: Connection, actor: Actor, server_id: str, tool_id: str) -> Registered:
    """One tool of a server; raises `ToolNotFound` where it has no such tool."""
    store.get(conn, actor, server_id)
    for known in registered(conn, actor, server_id):
        if known.tool.id == tool_id:
            return known
    raise ToolNotFound(tool_id)


def compare(known: Sequence[Registered], listed: Sequence[RemoteTool]) -> Changes:
    """How a server's tools differ from those stored here, by remote name. Pure."""
    before = {one.name: one.digest for one in known}
    after = {tool.name: tool.digest for tool in listed if is_usable(tool)}
    return Changes(
        added=[name for name in after if name not in before],
        updated=[name for name, digest in after.items() if name in before and before[name] != digest],
        deleted=[name for name in before if name not in after],
    )


def note_listing(conn: Connection, actor: Actor, server_id: str, listed: Sequence[RemoteTool]) -> None:
    """That a server answered with these tools; nothing of ours changes but how it is."""
    changes = compare(registered(conn, actor, server_id), listed)
    different = changes.added or changes.updated or changes.deleted
    store.note_connected(conn, server_id, changes.model_dump() if different else None)


def synchronize(
    conn: Connection, actor: Actor, server_id: str, listed: Sequence[RemoteTool], only: str | None = None
) -> Changes:
    """Make the stored tools those that the server listed, or one of them; returns what changed.

    A tool keeps its id and its name, and what users set of it: tags, limits, approval. Names in the answer
    are ours.
    """
    server = store.get(conn, actor, server_id)
    known = {one.name: one for one in registered(conn, actor, server_id)}
    wanted = {tool.name: tool for tool in listed if only is None or tool.name == only}
    usable = {name: tool for name, tool in wanted.items() if is_usable(tool)}
    done = Changes()
    if only is None:
        gone = [one for name, one in known.items() if name not in usable]
        _delete(conn, [one.tool.id for one in gone])
        done.deleted += (one.tool.name for one in gone)
    names = set(conn.execute(owned(tools, actor).with_only_columns(tools.c.name)).scalars())
    for name, tool in usable.items():
        before = known.get(name)
        if before is None:
            chosen = local_name(server.name, name, names)
            names.add(chosen)
            _insert(conn, actor, server, tool, chosen)
            done.added.append(chosen)
        elif before.digest != tool.digest:
            _update(conn, actor, server, tool, before)
            done.updated.append(before.tool.name)
    note_listing(conn, actor, server_id, listed)
    return done


def rename_server(conn: Connection, actor: Actor, server: ServerRow, before: str) -> None:
    """Tell a server's tools its new name; their own names stay, for agents' rules know them."""
    for one in registered(conn, actor, server.id):
        tags = [TAG + server.name if tag == TAG + before else tag for tag in one.tool.tags]
        metadata = dict(one.tool.metadata or {})
        metadata["mcp"] = {**metadata.get("mcp", {}), "server_name": server.name}
        conn.execute(update(tools).where(tools.c.id == one.tool.id).values(tags=tags, metadata=metadata))


def remove_server(conn: Connection, actor: Actor, server_id: str) -> None:
    """Delete a server and its tools, which no agent has any more."""
    store.get(conn, actor, server_id)
    _delete(conn, [one.tool.id for one in registered(conn, actor, server_id)])
    store.remove(conn, actor, server_id)


def by_name(conn: Connection, actor: Actor, server_id: str, remote_name: str) -> ToolRow | None:
    """Our tool that is this one of the server's, if it is registered."""
    query = (
        owned(tools, actor)
        .join(mcp_tools, mcp_tools.c.tool_id == tools.c.id)
        .where(mcp_tools.c.server_id == server_id, mcp_tools.c.name == remote_name)
    )
    row = conn.execute(query).first()
    return tool_row(row) if row else None


def _delete(conn: Connection, ids: Sequence[str]) -> None:
    if ids:
        conn.execute(delete(tools).where(tools.c.id.in_(ids)))


def _insert(conn: Connection, actor: Actor, server: ServerRow, tool: RemoteTool, name: str) -> None:
    at = now()
    tool_id = new_id("tool")
    row = {
        "id": tool_id,
        "organization_id": actor.organization_id,
        "name": name,
        "kind": KIND,
        "tags": [TAG + server.name],
        "return_char_limit": RETURN_CHAR_LIMIT,
        "parallel": False,
        "created_by": actor.user_id,
        "updated_by": actor.user_id,
        "created_at": at,
        "updated_at": at,
        **_described(server, tool, name),
    }
    conn.execute(insert(tools).values(row))
    link = {"tool_id": tool_id, "server_id": server.id, "name": tool.name, "digest": tool.digest}
    conn.execute(insert(mcp_tools).values(link))


def _update(conn: Connection, actor: Actor, server: ServerRow, tool: RemoteTool, before: Registered) -> None:
    described = _described(server, tool, before.tool.name)
    described["metadata"] = {**(before.tool.metadata or {}), **described["metadata"]}
    values = {**described, "updated_by": actor.user_id, "updated_at": now()}
    conn.execute(update(tools).where(tools.c.id == before.tool.id).values(values))
    mine = mcp_tools.c.tool_id == before.tool.id
    conn.execute(update(mcp_tools).where(mine).values(digest=tool.digest))


def _described(server: ServerRow, tool: RemoteTool, name: str) -> dict[str, Any]:
    """What a server's words say about the row of one of its tools."""
    health = schema_health(tool)
    origin: Mapping[str, Any] = {
        "server_name": server.name,
        "server_id": server.id,
        "tool_name": tool.name,
        "harmless": tool.harmless,
        "health": {"status": health.status, "reasons": list(health.reasons)[:20]},
    }
    parameters: Mapping[str, Any] = {"type": "object", "properties": {}, **tool.parameters}
    return {
        "description": storable(tool.description),
        "json_schema": storable({"name": name, "description": tool.description, "parameters": parameters}),
        "metadata": storable({"mcp": dict(origin)}),
    }


def tools_from(conn: Connection, actor: Actor, server_id: str) -> list[ToolRow]:
    """Our tools of a server; raises `ServerNotFound`."""
    store.get(conn, actor, server_id)
    return [one.tool for one in registered(conn, actor, server_id)]
