"""The tool contract: what a built-in tool is, what it is given, how it fails."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, Protocol

from sqlalchemy import Connection

from perdure.db import Database
from perdure.kit.errors import PerdureError
from perdure.tenancy.actor import Actor
from perdure.tools.schema import schema_of


class BlockLinks(Protocol):
    """Which memory blocks an agent sees: kept above, by a module with these functions."""

    def block_ids(self, conn: Connection, agent_id: str, thread_id: str) -> Sequence[str]:
        """The ids of its blocks in the order they were attached."""
        ...

    def attach_block(self, conn: Connection, actor: Actor, agent_id: str, block_id: str) -> None:
        """Show it a block; raises `Conflict` when it has another one of that label."""
        ...

    def detach_block(self, conn: Connection, actor: Actor, agent_id: str, block_id: str) -> None:
        """Show it no longer; the block itself stays."""
        ...


class AgentFacts(Protocol):
    """What tools of tenants may learn of the agent that calls them; known above."""

    async def secrets(self, actor: Actor, agent_id: str) -> Mapping[str, str]:
        """Its secrets, in clear: for the tools' environment, never for a model, a log or a client."""
        ...

    def sealed(self, conn: Connection, actor: Actor, agent_id: str) -> Sequence[Any]:
        """The secrets as they are stored, for a unit of work that reads more; for `opened`."""
        ...

    def opened(self, actor: Actor, sealed: Sequence[Any]) -> Mapping[str, str]:
        """Stored secrets in clear."""
        ...

    async def state(self, actor: Actor, agent_id: str, thread_id: str | None = None) -> Mapping[str, Any]:
        """The agent as clients see it, as JSON; with the blocks that it has in the thread."""
        ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a running tool knows of its caller. `thread_id` is the agent's id or a conversation's.

    `run_id`, `step_id` and `message_id`, which asks for the calls, are empty where no run calls it, but a
    request to run a tool. `tool` is its name.
    What its model was told is from before `asked_at`: what others have changed since it does not know.
    """

    db: Database
    actor: Actor
    agent_id: str
    thread_id: str
    run_id: str
    step_id: str
    blocks: BlockLinks
    facts: AgentFacts
    timezone: str = "UTC"
    project_id: str | None = None
    tool: str = ""
    asked_at: datetime | None = None
    message_id: str = ""


class ToolFailed(PerdureError):
    """News for the model: the tool could not do it, and why. Never ends a turn."""

    status = 400


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of a call of a tool that is not part of the server. `value` is shown as it is on an error."""

    value: Any
    status: Literal["success", "error"] = "success"
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()


ToolFunction = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class BuiltinTool:
    """A tool that is part of the server. `kind` is its `tool_type` on the wire."""

    name: str
    kind: str
    schema: Mapping[str, Any]
    run: ToolFunction
    parallel: bool = False
    repeatable: bool = False  # calling it twice is calling it once
    source: str = ""

    @property
    def description(self) -> str:
        return self.schema["description"]

    async def execute(self, ctx: ToolContext, _: object, arguments: Mapping[str, Any]) -> Returned:
        """Run it as tools of other kinds are run."""
        return Returned(await self.run(ctx, **arguments))


def tool(
    kind: str, *, parallel: bool = False, repeatable: bool = False
) -> Callable[[ToolFunction], BuiltinTool]:
    """Make a built-in tool of an async function `(ctx, …)`: its name, docstring and hints are the schema.

    A function `(it, ctx, …)` works by something long-lived: it can be called once it is `bound` to that.
    """

    def make(function: ToolFunction) -> BuiltinTool:
        name = getattr(function, "__name__", "")
        source = inspect.getsource(function)
        return BuiltinTool(name, kind, schema_of(function), function, parallel, repeatable, source)

    return make


def bound(tools: Iterable[BuiltinTool], it: object) -> tuple[BuiltinTool, ...]:
    """The tools of functions `(it, ctx, …)` with what they work by."""
    return tuple(replace(each, run=partial(each.run, it)) for each in tools)
