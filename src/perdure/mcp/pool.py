"""Open sessions, shared by those who use the same server with the same credentials."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perdure.kit.repeat import repeat
from perdure.kit.shared import Shared
from perdure.mcp.errors import McpError, McpUnreachable
from perdure.mcp.settings import McpSettings

if TYPE_CHECKING:
    from perdure.mcp.connection import Connection

Open = Callable[[], Awaitable["Connection"]]
SWEEP_SECONDS = 5.0


@dataclass
class Entry:
    """A session and who uses it."""

    connection: "Connection"
    server_id: str
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)
    dropped: bool = False


class Pool:
    """Sessions by key. Idle ones are closed after a while, the longest unused one when there are too many.

    A server that could not be connected to is not tried again for some seconds: those who want it then
    are told at once.
    """

    def __init__(self, settings: McpSettings):
        self._settings = settings
        self._entries: dict[str, Entry] = {}
        self._failed: dict[str, tuple[float, McpError]] = {}
        self._opening = Shared[None]("mcp")
        self._closing = set[asyncio.Task[None]]()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to close what is idle."""
        work = repeat(
            min(SWEEP_SECONDS, self._settings.idle_seconds), self._sweep, "Cannot close MCP sessions"
        )
        self._sweeper = asyncio.create_task(work, name="mcp sweep")

    async def close(self) -> None:
        """Close all sessions."""
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self._opening.close()
        for entry in self._entries.values():
            self._close(entry)
        self._entries.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def using(self, server_id: str, fingerprint: str, open: Open) -> AsyncGenerator["Connection", None]:
        """A living session, opened if there is none; raises an `McpError`."""
        key = f"{server_id} {fingerprint}"
        entry = self._living(key)
        if entry is None:
            self._refuse(key)
            await self._opening.get(key, lambda: self._open(key, server_id, open))
            entry = self._living(key)
            if entry is None:
                raise McpUnreachable("The MCP server ended the connection at once; try again.")
        entry.users += 1
        try:
            yield entry.connection
        finally:
            entry.users -= 1
            entry.used_at = time.monotonic()
            if entry.dropped and not entry.users:
                self._close(entry)

    def forget(self, server_id: str) -> None:
        """Drop a server's sessions and that it failed: it was changed, or someone asks to try anew."""
        self._failed = {key: known for key, known in self._failed.items() if not key.startswith(server_id)}
        for key, entry in list(self._entries.items()):
            if entry.server_id == server_id:
                self._drop(key)

    def discard(self, connection: "Connection") -> None:
        """Drop a session that turned out to be of no use."""
        for key, entry in list(self._entries.items()):
            if entry.connection is connection:
                self._drop(key)

    def _living(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None and not entry.connection.alive:
            self._drop(key)
            return None
        return entry

    def _refuse(self, key: str) -> None:
        """Raise where connecting failed a moment ago, or all connections there may be are at work."""
        known = self._failed.get(key)
        if known and known[0] > time.monotonic():
            raise type(known[1])(f"{known[1].detail} (tried a moment ago)")
        if sum(entry.users > 0 for entry in self._entries.values()) >= self._settings.connections:
            raise McpUnreachable(
                f"All {self._settings.connections} connections to MCP servers are in use; try again later, "
                "or set PERDURE_MCP_CONNECTIONS."
            )

    async def _open(self, key: str, server_id: str, open: Open) -> None:
        try:
            connection = await open()
        except McpError as error:
            self._failed[key] = (time.monotonic() + self._settings.retry_seconds, error)
            raise
        self._failed.pop(key, None)
        self._make_room()
        self._entries[key] = Entry(connection, server_id)

    def _make_room(self) -> None:
        """Close the longest unused sessions, so that one more is not too many."""
        idle = sorted((entry.used_at, key) for key, entry in self._entries.items() if not entry.users)
        for _, key in idle[: max(0, len(self._entries) + 1 - self._settings.connections)]:
            self._drop(key)

    async def _sweep(self) -> None:
        before = time.monotonic() - self._settings.idle_seconds
        for key, entry in list(self._entries.items()):
            if not entry.connection.alive or (not entry.users and entry.used_at < before):
                self._drop(key)
        present = time.monotonic()
        self._failed = {server: known for server, known in self._failed.items() if known[0] > present}

    def _drop(self, key: str) -> None:
        """Give a session to nobody any more, and close it when the last of its users is done."""
        entry = self._entries.pop(key)
        entry.dropped = True
        if not entry.users or not entry.connection.alive:
            self._close(entry)

    def _close(self, entry: Entry) -> None:
        task = asyncio.create_task(entry.connection.close(), name="mcp close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
