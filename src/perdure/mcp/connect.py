"""`connect`: whether a server can be reached, told as it happens, and a person's login if it wants one."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from perdure.kit.errors import PerdureError
from perdure.kit.ids import new_id
from perdure.mcp import edit
from perdure.mcp.errors import McpUnauthorized
from perdure.mcp.remote import RemoteTool
from perdure.mcp.servers import Servers
from perdure.mcp.store import ServerRow
from perdure.mcp.target import Target
from perdure.tenancy.actor import Actor

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
SIGN_OF_LIFE_SECONDS = 15.0
Event = dict[str, Any]


@dataclass
class Attempt:
    """One try to connect. It goes on when its listener leaves, for the person may be elsewhere by then.

    `server` is the stored server whose tools are registered in the end, if there is one.
    """

    servers: Servers
    actor: Actor
    target: Target
    redirect_uri: str
    server: ServerRow | None = None
    events: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue[Event | None])

    def begin(self) -> StreamingResponse:
        """Begin, and tell what happens."""
        task = asyncio.create_task(self._run(), name=f"mcp connect {self.target.name}")
        self.servers.logins.add(task)
        task.add_done_callback(self.servers.logins.discard)
        return StreamingResponse(self._told(), media_type="text/event-stream", headers=HEADERS)

    async def _run(self) -> None:
        self._tell("connection_attempt", server_name=self.target.name)
        try:
            self._tell("success", tools=[tool.wire for tool in await self._connected()])
        except (PerdureError, SQLAlchemyError) as error:
            self._tell("error", message=str(error))
        finally:
            self.events.put_nowait(None)

    async def _connected(self) -> list[RemoteTool]:
        try:
            tools = await self.servers.tried(self.actor, self.target)
        except McpUnauthorized:
            if not self.target.url or self.target.has_token:
                raise
            tools = await self._after_login()
        if self.server is not None:
            await edit.refresh(self.servers, self.actor, self.server)
        return tools

    async def _after_login(self) -> list[RemoteTool]:
        from perdure.mcp.login import Login  # noqa: PLC0415 - imports the SDK, which is loaded by now

        self._tell("oauth_required", message="The server wants a person's permission.")
        login_id = new_id("mcp-oauth")

        async def announce(url: str) -> None:
            self._tell("authorization_url", url=url, session_id=login_id)
            waiting = "Waiting until access is allowed in a browser."
            self._tell("waiting_for_auth", session_id=login_id, message=waiting)

        login = Login(
            self.servers.db,
            self.servers.ring,
            self.actor,
            login_id,
            self.target.url,
            self.redirect_uri,
            self.servers.settings.login_seconds,
            announce,
        )
        return await self.servers.tried(self.actor, self.target, login.provider)

    def _tell(self, event: str, **facts: Any) -> None:
        self.events.put_nowait({"event": event, **facts})

    async def _told(self) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                async with asyncio.timeout(SIGN_OF_LIFE_SECONDS):
                    event = await self.events.get()
            except TimeoutError:
                yield b": waiting\n\n"
                continue
            if event is None:
                return
            yield b"data: " + orjson.dumps(event) + b"\n\n"
