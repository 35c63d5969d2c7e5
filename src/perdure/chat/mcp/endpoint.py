"""The address `/mcp`: who calls is known before the protocol is spoken."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from perdure.archives.archives import Archives
from perdure.chat.mcp.tools import Visitor
from perdure.chat.send import Sender
from perdure.tenancy.actor import Actor

SERVER = "perdure.chat.mcp.server"


class Endpoint:
    """Answers MCP requests. It opens with the first of them, so that a server without pays nothing."""

    def __init__(
        self, sender: Sender, archives: Archives, authenticate: Callable[[Request], Awaitable[Actor]]
    ):
        self._sender = sender
        self._archives = archives
        self._authenticate = authenticate
        self._serving: asyncio.Task[None] | None = None
        self._manager: asyncio.Future[Any] | None = None
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises what is wrong with its key."""
        request = Request(scope)
        request.state.visitor = Visitor(await self._authenticate(request), self._sender, self._archives)
        manager = await self._opened()
        await manager.handle_request(scope, receive, send)

    async def close(self) -> None:
        """Answer no more; what is being answered is cut off."""
        self._closing.set()
        if self._serving:
            await self._serving

    async def _opened(self) -> Any:
        if self._manager is None:
            self._manager = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._manager))
        return await asyncio.shield(self._manager)

    async def _serve(self, opened: asyncio.Future[Any]) -> None:
        """Hold the protocol's tasks, in one task from their beginning to their end."""
        manager = (await asyncio.to_thread(import_module, SERVER)).session_manager()
        async with manager.run():
            opened.set_result(manager)
            await self._closing.wait()


class _At:
    """Hands requests to the application's endpoint."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.mcp(scope, receive, send)


route = Route("/mcp", _At(), methods=["POST"])
