"""MCP servers for tests, made with the official SDK's own server side and served on loopback."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ImageContent, ResourceLink, TextContent

PNG = "iVBORw0KGgo="


@dataclass
class Remote:
    """A running server: where it is, what it was sent, and its inside."""

    url: str
    inside: MCPServer
    headers: list[dict[str, str]] = field(default_factory=list)
    calls: list[Any] = field(default_factory=list)


def toolbox(calls: list[Any], name: str = "toolbox") -> MCPServer:
    """A server with a tool of each manner."""
    server = MCPServer(name, version="1.0")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        calls.append((a, b))
        return a + b

    @server.tool(structured_output=False)
    def echo(text: str) -> str:
        """Say it again."""
        calls.append(text)
        return text

    @server.tool()
    def weather(city: str) -> dict[str, Any]:
        """The weather, structured."""
        return {"city": city, "degrees": 21}

    @server.tool(structured_output=False)
    def picture() -> list[Any]:
        """A picture and where there are more."""
        link = ResourceLink(uri="file:///tmp/more.txt", name="more", mime_type="text/plain")
        return [
            TextContent(text="here"),
            ImageContent(data=PNG, mime_type="image/png"),
            link,
        ]

    @server.tool(structured_output=False)
    def broken() -> str:
        """Fails always."""
        raise ValueError("no such thing")

    @server.tool(structured_output=False)
    async def slow(ctx: Context) -> str:
        """Takes its time."""
        calls.append("begun")
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            calls.append("cancelled")
            raise
        return "done"

    return server


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """Serve an ASGI application on loopback; yields its address."""
    config = uvicorn.Config(app, port=port, log_config=None, ws="none", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def handshaking(app: Any) -> Any:
    """The application as servers before 2026 are: they know no `server/discover`, only `initialize`."""

    async def older(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers") or ())
        if headers.get(b"mcp-method") == b"server/discover":
            start = {"type": "http.response.start", "status": 400, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b"Bad Request"})
            return
        await app(scope, receive, send)

    return older


def recorded(app: Any, headers: list[dict[str, str]]) -> Any:
    """The application, noting the headers of each request."""

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers.append({name.decode(): value.decode("latin-1") for name, value in scope["headers"]})
        await app(scope, receive, send)

    return noting


@contextmanager
def running(
    make: Callable[[list[Any]], MCPServer] = toolbox,
    kind: str = "streamable_http",
    port: int = 0,
    older: bool = False,
    **options: Any,
) -> Iterator[Remote]:
    """A server of the SDK's, over streamable HTTP or SSE."""
    calls: list[Any] = []
    headers: list[dict[str, str]] = []
    inside = make(calls)
    app = inside.sse_app() if kind == "sse" else inside.streamable_http_app(**options)
    with serving(recorded(handshaking(app) if older else app, headers), port) as url:
        path = "/sse" if kind == "sse" else "/mcp"
        yield Remote(url + path, inside, headers, calls)
    if kind == "sse":
        gc.collect()  # the SDK's server leaves streams open; their warnings belong to this test
