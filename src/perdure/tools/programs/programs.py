"""Runs programs of models, and the tools that they call while they run."""

import asyncio
import keyword
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from perdure.kit.errors import Forbidden, PerdureError
from perdure.kit.ids import new_id
from perdure.sandbox.base import Job, Network, Outcome
from perdure.tenancy import run_tokens
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing
from perdure.tools import store
from perdure.tools.base import Returned, ToolContext, ToolFailed
from perdure.tools.code import CodeRunner
from perdure.tools.dispatch import Dispatcher
from perdure.tools.store import ToolRow

NAME = "run_code_with_tools"
HARMLESS = ("continue_loop",)  # rules that say nothing about when a tool may be called
NOWHERE = "This server does not know its own address, which the program needs: set tools.server_url."
CONNECT = """__guest = {{'__name__': 'guest'}}
exec(compile({text!r}, '<guest>', 'exec'), __guest)
ToolError = __guest['ToolError']
tools = __guest['connect']({parameters!r})
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A program at work: who runs it, the tools it may call, the calls it waits for."""

    ctx: ToolContext
    tools: Mapping[str, ToolRow]
    calls: set[asyncio.Task[Returned]] = field(default_factory=set[asyncio.Task[Returned]])


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs at work in this process; `server` tells where they reach it.

    `places` are fewer than the sandbox's slots: a program holds one while what it calls waits for another.
    """

    runner: CodeRunner
    dispatcher: Dispatcher
    ring: KeyRing
    server: Callable[[], str | None]
    places: asyncio.Semaphore
    running: dict[str, Running] = field(default_factory=dict[str, Running])

    async def run(self, ctx: ToolContext, code: str) -> Outcome:
        """Run a program of the agent's in the sandbox, its tools at hand."""
        server = self.server()
        if server is None:
            raise ToolFailed(NOWHERE)
        state = await ctx.facts.state(ctx.actor, ctx.agent_id, ctx.thread_id)
        attached = await ctx.db.read(store.by_ids, ctx.actor, [tool["id"] for tool in state["tools"]])
        tools = callable_tools(attached, state["tool_rules"] or ())
        limits = await self.runner.limits_for(ctx)
        async with self.places, self._begun(Running(ctx, tools)) as program:
            lifetime = run_tokens.lifetime(limits.wall_seconds)
            token = run_tokens.issue(self.ring, ctx.actor, program, lifetime)
            env = {"PERDURE_CALLS_URL": f"{server}{run_tokens.CALLS}", "PERDURE_CALLS_TOKEN": token}
            job = Job(
                code,
                ctx.actor.organization_id,
                prelude=prelude(tools),
                env=env,
                limits=limits,
                network=Network(server=server),
                nested=ctx.actor.tool_of is not None,
            )
            return await self.runner.sandbox.run(job)

    @asynccontextmanager
    async def _begun(self, program: Running) -> AsyncGenerator[str, None]:
        """Known by an id as long as it runs; what it has called by then ends with it."""
        program_id = new_id(run_tokens.PROGRAM)
        self.running[program_id] = program
        try:
            yield program_id
        finally:
            del self.running[program_id]
            for call in program.calls:
                call.cancel()

    async def call(self, actor: Actor, name: str, arguments: Mapping[str, Any]) -> Returned:
        """Call a tool for the program whose token the caller has shown."""
        program = self.running.get(actor.tool_of or "")
        if program is None or program.ctx.actor.organization_id != actor.organization_id:
            raise Forbidden("Only a program that runs may call tools here.")
        tool = program.tools.get(name)
        if tool is None:
            return Returned(f"A program cannot call {name}.", "error")
        task = asyncio.create_task(self._performed(program.ctx, tool, arguments))
        program.calls.add(task)
        await asyncio.wait([task])
        program.calls.discard(task)
        return Returned("The program has ended.", "error") if task.cancelled() else task.result()

    async def _performed(self, ctx: ToolContext, tool: ToolRow, arguments: Mapping[str, Any]) -> Returned:
        try:
            return await self.dispatcher.perform(ctx, tool, arguments)
        except PerdureError as failed:
            return Returned(failed.detail, "error")


def callable_tools(
    attached: Sequence[ToolRow], tool_rules: Sequence[Mapping[str, Any]]
) -> dict[str, ToolRow]:
    """The tools that a program may call: those no rule is about, a program being no way around it. Pure."""
    rules = [rule for rule in tool_rules if rule["type"] not in HARMLESS]
    ruled = {name for rule in rules for name in (rule["tool_name"], *_children(rule))}
    return {tool.name: tool for tool in attached if tool.name not in ruled and tool.name != NAME}


def _children(rule: Mapping[str, Any]) -> list[str]:
    outcomes: Mapping[str, str] = rule.get("child_output_mapping") or {}
    default = rule.get("default_child")
    return [*(rule.get("children") or ()), *outcomes.values(), *([default] if default else ())]


def prelude(tools: Mapping[str, ToolRow]) -> str:
    """What makes the tools functions of the program: by their names, where Python can have them."""
    parameters = {name: list(tool.parameters.get("properties") or ()) for name, tool in tools.items()}
    named = [name for name in tools if name.isidentifier() and not keyword.iskeyword(name)]
    lines = [f"{name} = tools[{name!r}]" for name in named if name not in ("tools", "ToolError")]
    return CONNECT.format(text=_guest(), parameters=parameters) + "\n".join([*lines, "del __guest", ""])


@cache
def _guest() -> str:
    return files("perdure.tools.programs").joinpath("guest.py").read_text()
