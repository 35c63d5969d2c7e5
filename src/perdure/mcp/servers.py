"""The servers as agents and routes reach them: sessions, listings, calls, and how each of them is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from perdure.db import Database
from perdure.kit.outbound import Fetcher
from perdure.mcp import grants, registered, store
from perdure.mcp.errors import McpError, McpUnreachable
from perdure.mcp.pool import Pool
from perdure.mcp.remote import RemoteTool
from perdure.mcp.settings import McpSettings
from perdure.mcp.stdio import Place, check_allowed
from perdure.mcp.store import ServerRow, opened
from perdure.mcp.target import Target, target_of, wants_secrets
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.surroundings import Surroundings
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing
from perdure.tools.base import AgentFacts, Returned, ToolContext
from perdure.tools.store import ToolRow

if TYPE_CHECKING:
    import httpx2

    from perdure.mcp.connection import Connection
    from perdure.sandbox.residents import Residents

Values = Callable[[], Awaitable[Mapping[str, str]]]
TRIES = 2


class Servers:
    """All that talks to MCP servers. `facts` knows the secrets of agents."""

    def __init__(
        self,
        db: Database,
        ring: KeyRing,
        fetcher: Fetcher,
        settings: McpSettings,
        home: Path,
        facts: AgentFacts,
        sandbox: SandboxSettings,
        around: Surroundings,
    ):
        self.db = db
        self.ring = ring
        self.fetcher = fetcher
        self.settings = settings
        self.pool = Pool(settings)
        self.logins = set[asyncio.Task[None]]()
        self._loaded: Any = None
        self._home = home
        self._sandbox = sandbox
        self._around = around
        self._residents: Residents | None = None
        self._facts = facts

    async def start(self) -> None:
        """Begin to close what is idle."""
        await self.pool.start()

    async def close(self) -> None:
        """Close all sessions and stop all logins."""
        for task in list(self.logins):
            task.cancel()
        await asyncio.gather(*self.logins, return_exceptions=True)
        await self.pool.close()
        if self._residents:
            await self._residents.close()

    async def execute(self, ctx: ToolContext, tool: ToolRow, arguments: Mapping[str, Any]) -> Returned:
        """Call a tool for an agent; what it raises is told to the model."""
        return await self.run(ctx.actor, tool, arguments, lambda: ctx.facts.secrets(ctx.actor, ctx.agent_id))

    async def run(
        self, actor: Actor, tool: ToolRow, arguments: Mapping[str, Any], values: Values | None = None
    ) -> Returned:
        """Call a tool. A session that has ended is opened once more, if the call cannot have run."""
        server, name = await self.db.read(store.of_tool, actor, tool.id)
        target = await self.target(server, values)
        origin: Mapping[str, Any] = (tool.metadata or {}).get("mcp") or {}
        return await self.call(actor, server, target, name, arguments, again=origin.get("harmless") is True)

    async def call(
        self,
        actor: Actor,
        server: ServerRow,
        target: Target,
        name: str,
        arguments: Mapping[str, Any],
        *,
        again: bool = False,
    ) -> Returned:
        """Call a tool by its remote name; with `again` it may run twice."""
        gone = (await self._sdk()).Gone
        for _ in range(TRIES):
            async with self.pool.using(
                server.id, target.fingerprint, lambda: self._noted(actor, server, target)
            ) as connection:
                try:
                    return await connection.call(name, arguments, again=again)
                except gone:
                    self.pool.discard(connection)
        raise McpUnreachable(f"The MCP server {server.name!r} ended the connection, twice; try again later.")

    async def listed(self, actor: Actor, server: ServerRow, agent_id: str | None = None) -> list[RemoteTool]:
        """The tools that a server has now; noted is how it is."""
        values = (lambda: self._facts.secrets(actor, agent_id)) if agent_id else None
        target = await self.target(server, values)
        self.pool.forget(server.id)
        async with self.pool.using(
            server.id, target.fingerprint, lambda: self._noted(actor, server, target)
        ) as connection:
            return connection.listed

    async def tried(
        self, actor: Actor, target: Target, auth: "httpx2.Auth | None" = None
    ) -> list[RemoteTool]:
        """The tools of a server, over a session that is closed again; nothing is noted."""
        seconds = self.settings.connect_seconds + (self.settings.login_seconds if auth else 0)
        connection = await self._open(actor, target, seconds, auth)
        try:
            return await connection.list_tools()
        finally:
            await connection.close()

    async def target(self, server: ServerRow, values: Values | None) -> Target:
        """Where a server is, with an agent's secrets filled in where it wants any."""
        secrets = opened(self.ring, server)
        known: Mapping[str, str] = await values() if values and wants_secrets(secrets) else {}
        return target_of(
            server.name,
            server.kind,
            url=server.url,
            auth_header=server.auth_header,
            command=server.command,
            args=server.args,
            secrets=secrets,
            values=known,
        )

    async def _noted(self, actor: Actor, server: ServerRow, target: Target) -> "Connection":
        """A new session, and what is learned by opening it: how the server is, how its tools differ."""
        try:
            connection = await self._open(actor, target, self.settings.connect_seconds)
            connection.when_changed = lambda: self._compare(actor, server, connection)
            try:
                await connection.list_tools()
            except BaseException:
                await connection.close()
                raise
        except McpError as error:
            await self.db.write(store.note_failed, server.id, error.detail)
            raise
        await self.db.write(registered.note_listing, actor, server.id, connection.listed)
        return connection

    async def _compare(self, actor: Actor, server: ServerRow, connection: "Connection") -> None:
        """The server says that its tools have changed: note how they differ from ours now."""
        try:
            await connection.list_tools()
        except McpError:
            return  # a session that ends meanwhile; the next one compares, too
        await self.db.write(registered.note_listing, actor, server.id, connection.listed)

    async def _open(
        self, actor: Actor, target: Target, seconds: float, auth: "httpx2.Auth | None" = None
    ) -> "Connection":
        if target.kind == "stdio":
            check_allowed(self.settings)
        sdk = await self._sdk()
        if auth is None and target.url and not target.has_token:
            auth = await self._bearer(actor, target.url)
        connection = sdk.Connection(target, self.fetcher, self.settings, self._place(actor, target), auth)
        await connection.open(seconds)
        return connection

    def _place(self, actor: Actor, target: Target) -> Place:
        """A home for a command: another one for each organization, and for each set of secrets."""
        if self._residents is None:
            from perdure.sandbox.residents import Residents  # noqa: PLC0415 - servers start without it

            self._residents = Residents(self._sandbox, self._around)
        folder = self._home / "mcp" / f"{actor.organization_id}-{target.fingerprint[:16]}"
        return Place(folder, actor.organization_id, self._residents)

    async def _sdk(self) -> Any:
        """The module of connections, loaded once, in a thread that stops no one."""
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(_load)
        return self._loaded

    async def _bearer(self, actor: Actor, url: str) -> "httpx2.Auth | None":
        """What shows the organization's login at this address, if somebody allowed one."""
        if await self.db.read(grants.sealed_grant, actor, url) is None:
            return None
        from perdure.mcp.bearer import Bearer  # noqa: PLC0415 - the SDK is loaded by now

        return Bearer(self.db, self.ring, actor, url)


def _load() -> Any:
    """Our module that imports the SDK: 0.6 s that no start should pay."""
    from perdure.mcp import connection  # noqa: PLC0415

    return connection


async def _of_request(request: Request) -> Servers:
    return request.app.state.mcp_servers


CurrentServers = Annotated[Servers, Depends(_of_request)]
