"""Making, changing and deleting MCP servers, and bringing their tools up to date."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perdure.kit.errors import InvalidArgument, PerdureError, Unprocessable
from perdure.kit.ids import new_id
from perdure.kit.outbound import Fetcher, FetchFailed, check_address
from perdure.mcp import grants, registered, store
from perdure.mcp.remote import RemoteTool
from perdure.mcp.schemas import (
    REDACTED,
    ChangedConfig,
    Changes,
    Health,
    NewConfig,
    Server,
    ServerCreate,
    ServerUpdate,
    SSEServer,
    StdioServer,
    StreamableHTTPServer,
    UpdateSSEConfig,
    kept,
    kept_all,
    shown,
    shown_all,
)
from perdure.mcp.servers import Servers
from perdure.mcp.stdio import check_allowed
from perdure.mcp.store import ServerRow
from perdure.mcp.target import Secrets, check_headers
from perdure.tenancy.actor import Actor

TRIES = 3  # two servers registered at once may want the same names of tools


async def create(servers: Servers, actor: Actor, body: ServerCreate) -> ServerRow:
    """Store a new server and register its tools, if it answers; how it went is part of its health."""
    server_id = new_id("mcp_server")
    values, secrets = await _configured(servers, body.config)
    sealed = store.seal(servers.ring, actor, server_id, secrets)
    row = {"id": server_id, "name": body.server_name, "secrets": sealed, **values}
    made = await servers.db.write(store.create, actor, row)
    try:
        await refresh(servers, actor, made)
    except PerdureError as error:
        await servers.db.write(store.note_failed, server_id, error.detail)
    return await servers.db.read(store.get, actor, server_id)


async def change(servers: Servers, actor: Actor, server_id: str, body: ServerUpdate) -> ServerRow:
    """Change what the body names; null clears what may be missing. Tools stay until the next refresh."""
    before = await servers.db.read(store.get, actor, server_id)
    values: dict[str, Any] = {}
    if body.config is not None:
        values, secrets = await _changed(servers, before, body.config)
        values["secrets"] = store.seal(servers.ring, actor, server_id, secrets)
        values |= {"connected_at": None, "failed_at": None, "error": None, "drift": None}
    if body.server_name is not None:
        values["name"] = body.server_name
    if values:
        await servers.db.write(_change, actor, before, values)
        servers.pool.forget(server_id)
    return await servers.db.read(store.get, actor, server_id)


async def remove(servers: Servers, actor: Actor, server_id: str) -> None:
    """Delete a server, its tools, and the login at its address if no other server is there."""
    row = await servers.db.read(store.get, actor, server_id)
    await servers.db.write(_remove, actor, row)
    servers.pool.forget(server_id)


async def refresh(
    servers: Servers, actor: Actor, row: ServerRow, agent_id: str | None = None, only: str | None = None
) -> Changes:
    """Make the stored tools those that the server has now, or one of them."""
    listed = await servers.listed(actor, row, agent_id)
    if only is not None and all(tool.name != only for tool in listed):
        names = ", ".join(tool.name for tool in listed) or "none"
        raise InvalidArgument(f"The MCP server {row.name!r} has no tool {only!r}. Its tools: {names}.")
    return await _synchronized(servers, actor, row.id, listed, only)


def on_wire(servers: Servers, row: ServerRow) -> Server:
    """A server as clients see it: its secrets redacted."""
    secrets = store.opened(servers.ring, row)
    common: dict[str, Any] = {"id": row.id, "server_name": row.name, "health": _health(row)}
    if row.kind == "stdio":
        args, env = store.args_of(row), shown_all(secrets.env)
        return StdioServer(command=row.command or "", args=args, env=env, **common)
    kind = SSEServer if row.kind == "sse" else StreamableHTTPServer
    return kind(
        server_url=row.url or "",
        auth_header=row.auth_header,
        auth_token=shown(secrets.auth_token),
        custom_headers=shown_all(secrets.custom_headers),
        **common,
    )


async def check_url(fetcher: Fetcher, url: str) -> None:
    """Raise `Unprocessable` for an address that is none, has credentials in it, or may not be reached.

    A name that cannot be resolved now passes: that is seen when it is connected to, like all of this again.
    """
    import httpx2  # noqa: PLC0415 - heavy, and needed where servers are added only

    try:
        check_address(url)
        target = httpx2.URL(url)
        if target.userinfo:
            raise FetchFailed("an address holds no credentials here; use auth_token or custom_headers.")
        await fetcher.address(target)
    except FetchFailed as error:
        raise Unprocessable(f"server_url: {error.detail}") from error
    except OSError:
        return


async def _configured(servers: Servers, config: NewConfig) -> tuple[dict[str, Any], Secrets]:
    """The columns of a new server, and what of it is sealed."""
    if config.mcp_server_type == "stdio":
        check_allowed(servers.settings)
        env = kept_all(config.env, None, "env")
        return {"kind": "stdio", "command": config.command, "args": config.args}, Secrets(env=env)
    await check_url(servers.fetcher, config.server_url)
    token = kept(config.auth_token, None, "auth_token")
    headers = kept_all(config.custom_headers, None, "custom_headers")
    _check(config.auth_header, headers)
    values = {"kind": config.mcp_server_type, "url": config.server_url, "auth_header": config.auth_header}
    return values, Secrets(token, headers)


async def _changed(
    servers: Servers, before: ServerRow, config: ChangedConfig
) -> tuple[dict[str, Any], Secrets]:
    """The columns of a server that is changed, and what of it is sealed."""
    if before.kind != config.mcp_server_type:
        raise InvalidArgument(
            f"The MCP server {before.name!r} is of the type {before.kind}, not {config.mcp_server_type}; "
            "delete it and create another."
        )
    known, sent = store.opened(servers.ring, before), config.model_fields_set
    if config.mcp_server_type == "stdio":
        check_allowed(servers.settings)
        values = {
            name: getattr(config, name) for name in ("command", "args") if getattr(config, name) is not None
        }
        return values, Secrets(env=kept_all(config.env, known.env, "env") if "env" in sent else known.env)
    values: dict[str, Any] = {"auth_header": config.auth_header} if "auth_header" in sent else {}
    if config.server_url is not None and config.server_url != before.url:
        await check_url(servers.fetcher, config.server_url)
        _check_moved(before, known, config)
        values["url"] = config.server_url
    token, headers = known.auth_token, known.custom_headers
    if "auth_token" in sent:
        token = kept(config.auth_token, token, "auth_token")
    if "custom_headers" in sent:
        headers = kept_all(config.custom_headers, headers, "custom_headers")
    _check(values.get("auth_header", before.auth_header), headers)
    return values, Secrets(token, headers)


def _check_moved(before: ServerRow, known: Secrets, config: UpdateSSEConfig) -> None:
    """Raise where stored secrets would be sent to another place: who may not read them, may not send them."""
    if _origin(before.url or "") == _origin(config.server_url or ""):
        return
    sent = config.model_fields_set
    token_stays = known.auth_token and ("auth_token" not in sent or config.auth_token == REDACTED)
    stay = "custom_headers" not in sent or REDACTED in (config.custom_headers or {}).values()
    if token_stays or (known.custom_headers and stay):
        raise Unprocessable(
            "server_url: at another host, auth_token and custom_headers must be sent anew (or null), not as "
            f"{REDACTED}."
        )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _check(header: str | None, headers: Mapping[str, str] | None) -> None:
    check_headers({**({header: ""} if header else {}), **(headers or {})})


def _change(conn: Connection, actor: Actor, before: ServerRow, values: dict[str, Any]) -> None:
    after = store.change(conn, actor, before.id, values)
    if after.name != before.name:
        registered.rename_server(conn, actor, after, before.name)


def _remove(conn: Connection, actor: Actor, row: ServerRow) -> None:
    registered.remove_server(conn, actor, row.id)
    if row.url and all(other.url != row.url for other in store.all_of(conn, actor)):
        grants.remove_grant(conn, actor, row.url)


async def _synchronized(
    servers: Servers, actor: Actor, server_id: str, listed: list[RemoteTool], only: str | None
) -> Changes:
    for left in reversed(range(TRIES)):
        try:
            return await servers.db.write(registered.synchronize, actor, server_id, listed, only)
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable")


def _health(row: ServerRow) -> Health:
    status = "failing" if row.error else "ok" if row.connected_at else "unknown"
    drift = Changes.model_validate(row.drift) if row.drift else None
    return Health(
        status=status,
        connected_at=row.connected_at,
        failed_at=row.failed_at,
        error=row.error,
        drift=drift,
    )
