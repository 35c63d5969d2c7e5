"""One session with a server, held open by a task of its own. Imports the SDK: load it when it is needed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, cast

import httpx2
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    REQUEST_TIMEOUT,
    CallToolResult,
    Implementation,
    Tool,
    ToolListChangedNotification,
)

import perdure
from perdure.kit.errors import PerdureError
from perdure.kit.outbound import Fetcher
from perdure.kit.text import storable
from perdure.mcp.bearer import Bearer
from perdure.mcp.errors import McpError, McpRefused, McpTimeout, McpUnauthorized, McpUnreachable
from perdure.mcp.remote import RemoteTool, remote_tool, unfit
from perdure.mcp.results import returned
from perdure.mcp.settings import McpSettings
from perdure.mcp.stdio import Complaints, Place
from perdure.mcp.target import Target
from perdure.mcp.transports import MARGIN_SECONDS, Transports
from perdure.mcp.wire import FAULT, TOO_LARGE, McpStatus
from perdure.tools.base import Returned
from perdure.tools.custom.redact import Redact, redacted

MAX_PAGES = 50
MAX_TOOLS = 2000
CLOSE_SECONDS = 6.0

# What goes wrong with servers of others is told where it matters; the SDK would fill our log with it.
logging.getLogger("mcp").setLevel(logging.CRITICAL)
logging.getLogger("client").setLevel(logging.CRITICAL)


class Gone(Exception):
    """The session had ended before this call could reach the server: another session may take it."""


class Connection:
    """A session: opened once, used by many calls at once, closed once."""

    def __init__(
        self,
        target: Target,
        fetcher: Fetcher,
        settings: McpSettings,
        place: Place,
        auth: httpx2.Auth | None = None,
    ):
        self.target = target
        self.listed: list[RemoteTool] = []
        self.when_changed: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._changes: asyncio.Task[None] | None = None
        self._settings = settings
        self._login = auth if isinstance(auth, Bearer) else None
        self._complaints = Complaints()
        self._transports = Transports(fetcher, settings, place, auth, self._complaints, self._over)
        self._client: Client | None = None
        self._fault: Exception | None = None
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether calls can be made."""
        return self._client is not None and not self._stop.is_set() and not self._ended

    @property
    def _redact(self) -> Redact:
        """What takes out all that the server is shown, the tokens of a login as they are now."""
        return Redact({**self.target.hidden, **(self._login.hidden if self._login else {})})

    @property
    def _ended(self) -> bool:
        return self._task is None or self._task.done()

    async def open(self, seconds: float) -> None:
        """Connect and greet; raises an `McpError` that says what went wrong."""
        self._task = asyncio.create_task(self._hold(), name=f"mcp {self.target.name}")
        waiting = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._task, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            if self._client is None:
                await self.close()
        if self._client is None:
            raise self._unreachable(seconds)

    async def close(self) -> None:
        """End the session, politely for some seconds."""
        self._stop.set()
        if self._changes:
            self._changes.cancel()
        if self._task is None:
            return
        if self._client is None:
            self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def list_tools(self) -> list[RemoteTool]:
        """All tools of the server, over all pages; kept as `listed`."""
        client, found, cursor = self._client, list[RemoteTool](), None
        if client is None or not self.alive:
            raise McpUnreachable(self._sentence("ended the connection", self._fault))
        try:
            async with asyncio.timeout(self._settings.list_seconds):
                for _ in range(MAX_PAGES):
                    page = await client.list_tools(cursor=cursor, cache_mode="bypass")
                    redact = self._redact
                    found += (listed_tool(tool, redact) for tool in page.tools[: MAX_TOOLS - len(found)])
                    cursor = page.next_cursor
                    if not cursor or len(found) >= MAX_TOOLS:
                        break
        except TimeoutError as error:
            raise self._late("list its tools", self._settings.list_seconds) from error
        except Exception as error:
            raise await self._told(error) from error
        self.listed = found
        return found

    async def call(self, name: str, arguments: Mapping[str, Any], *, again: bool) -> Returned:
        """Call a tool. Raises `Gone` where it did not reach the server, or with `again` may do so twice."""
        client, seconds = self._client, self._settings.call_seconds
        if client is None or not self.alive:
            raise Gone
        try:
            async with asyncio.timeout(seconds + MARGIN_SECONDS):
                result = await client.call_tool(name, dict(arguments), read_timeout_seconds=seconds)
        except TimeoutError as error:
            raise self._late(f"answer the call of {name}", seconds) from error
        except MCPError as error:
            if error.code == REQUEST_TIMEOUT and _fault_of(error) is None:
                raise self._late(f"answer the call of {name}", seconds) from error
            if self._is_gone(error, again=again):
                raise Gone from error
            raise await self._told(error) from error
        except Exception as error:
            raise await self._told(error) from error
        return await asyncio.to_thread(_returned, result, self._redact)

    async def _hold(self) -> None:
        """Open the session, keep it until it is to end, close it: all in one task, as the SDK wants it."""
        try:
            client = Client(
                self._transports.open(self.target),
                client_info=Implementation(name="perdure", version=perdure.__version__),
                cache=None,
                message_handler=self._heard,
                read_timeout_seconds=self._settings.connect_seconds,
            )
            async with client:
                self._client = client
                self._ready.set()
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is told to those who wait
            self._fault = self._fault or _innermost(error)

    async def _heard(self, message: object) -> None:
        """A message that answers nothing: of interest is that the tools have changed."""
        news = isinstance(message, ToolListChangedNotification)
        if news and self.when_changed and (self._changes is None or self._changes.done()):
            name = f"mcp {self.target.name} changed"
            self._changes = asyncio.create_task(self.when_changed(), name=name)

    def _over(self, error: Exception | None) -> None:
        """The server says no more, or a message to it could not be sent: the session is of no use."""
        self._fault = self._fault or error
        self._stop.set()

    def _is_gone(self, error: MCPError, *, again: bool) -> bool:
        """Whether a call did not run, or may run again, and only this session is to blame."""
        fault = _fault_of(error)
        if fault is not None:
            return fault["lost"] or (fault["status"] == 502 and (again or not fault["reached"]))
        if error.code == CONNECTION_CLOSED:
            return again
        return error.code == INVALID_REQUEST and error.message == "Session terminated"

    async def _told(self, error: Exception) -> Exception:
        """An error as its reader can use it."""
        if isinstance(error, Gone | PerdureError):
            return error
        if isinstance(error, MCPError):
            if error.code == CONNECTION_CLOSED and _fault_of(error) is None:
                await self._settle()
                if isinstance(self._fault, McpUnauthorized):
                    return self._fault
                return McpUnreachable(self._sentence("ended the connection", self._fault))
            return self._refusal(error)
        return McpRefused(self._sentence("gave an answer that cannot be read", error))

    def _refusal(self, error: MCPError) -> McpError:
        fault = _fault_of(error)
        if fault is None:
            return McpRefused(self._sentence("refused", error))
        if fault["status"] == 401:
            return self._unauthorized()
        if fault["status"] == TOO_LARGE:
            return McpRefused(self._sentence("gave too large an answer", error))
        if fault["reached"]:
            return McpRefused(self._sentence("did not take the request", error))
        return McpUnreachable(self._sentence("cannot be connected to", error))

    async def _settle(self) -> None:
        """Wait a moment for a session that is ending to say why."""
        if self._task:
            await asyncio.wait({self._task}, timeout=0.5)

    def _unreachable(self, seconds: float) -> McpError:
        error = self._fault
        if error is None:
            return self._late("answer", seconds)
        if isinstance(error, McpUnauthorized):
            return error
        if _status_of(error) == 401:
            return self._unauthorized()
        if isinstance(error, MCPError):
            if error.code == REQUEST_TIMEOUT:
                return self._late("answer", seconds)
            if error.code != CONNECTION_CLOSED:
                return self._refusal(error)
        return McpUnreachable(self._sentence("cannot be connected to", error))

    def _unauthorized(self) -> McpUnauthorized:
        return McpUnauthorized(
            f"The MCP server {self.target.name!r} wants an authorization: set its auth_token, or allow "
            "access by GET /v1/mcp-servers/connect/{id}."
        )

    def _late(self, what: str, seconds: float) -> McpTimeout:
        return McpTimeout(self._sentence(f"did not {what} within {seconds:g} s", None))

    def _sentence(self, what: str, error: Exception | None) -> str:
        words = f": {_short(error)}" if error and str(error) else ""
        heard = f" It wrote: {self._complaints.text}" if self._complaints.text else ""
        sentence = f"The MCP server {self.target.name!r} {what}{words}.{heard}".replace("..", ".")
        return self._redact(sentence, cut=True)


def _returned(result: CallToolResult, redact: Redact) -> Returned:
    """What a call returned, as ours."""
    told = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    done = returned(told.get("content") or [], told.get("structuredContent"), failed=result.is_error)
    return storable(replace(done, value=redacted(done.value, redact)))


def listed_tool(tool: Tool, redact: Redact) -> RemoteTool:
    """A tool as the SDK read it, as ours."""
    try:
        told = storable(tool.model_dump(mode="json", by_alias=True, exclude_none=True))
    except ValueError:  # nested more deeply than Pydantic writes
        return unfit(storable(tool.name), storable(tool.description or ""), redact)
    return remote_tool(told, redact)


def _fault_of(error: MCPError) -> Mapping[str, Any] | None:
    """What `EndpointTransport` told of a request that failed."""
    data: Any = error.data
    return data.get(FAULT) if isinstance(data, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _status_of(error: Exception) -> int | None:
    if isinstance(error, McpStatus):
        return error.status
    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code
    fault = _fault_of(error) if isinstance(error, MCPError) else None
    return fault["status"] if fault else None


def _innermost(error: BaseException) -> Exception:
    """The first cause of a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def _short(error: Exception | None) -> str:
    text = str(error).splitlines()[0] if error and str(error) else type(error).__name__
    return text[:500]
