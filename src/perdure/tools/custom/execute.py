"""Runs the tools that users write, in the sandbox."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import Connection

from perdure.db import Database
from perdure.sandbox.base import Job, Limits, Sandbox
from perdure.tenancy import run_tokens
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing
from perdure.tools.base import Returned, ToolContext, ToolFailed
from perdure.tools.custom.job import Code, job_of, language_of, layered, requirements_of, returned
from perdure.tools.custom.redact import Redact, redacted
from perdure.tools.custom.source import API_KEY, Source, read_source
from perdure.tools.derive.parse import aside
from perdure.tools.sandboxes.store import VARIABLES, Sandboxed, sandboxed
from perdure.tools.settings import ToolSettings
from perdure.tools.store import ToolRow

REMOTE = ("e2b", "modal")
# Stores what a tool changed in the memory blocks of its agent: texts by label, and the versions it was shown.
Remember = Callable[[Connection, ToolContext, Mapping[str, str], Mapping[str, int]], None]


@dataclass(frozen=True, slots=True)
class CustomTools:
    """The executor of tools of kind `custom`. `server` tells where tools reach this server, if they can.

    `install_seconds` is how long installing the packages of one may take.
    """

    db: Database
    ring: KeyRing
    sandbox: Sandbox
    settings: ToolSettings
    limits: Limits
    install_seconds: float
    remember: Remember
    server: Callable[[], str | None]

    async def execute(self, ctx: ToolContext, tool: ToolRow, arguments: Mapping[str, Any]) -> Returned:
        """Call a stored tool for an agent."""
        wanted = {"pip_requirements": tool.pip_requirements, "npm_requirements": tool.npm_requirements}
        code = Code(
            tool.name,
            tool.source_code or "",
            language_of(tool.source_type),
            frozenset(tool.parameters.get("properties") or ()),
            requirements_of(wanted),
            tool.metadata,
            tool.id,
        )
        return await self.run(ctx.actor, code, arguments, ctx)

    async def run(
        self,
        actor: Actor,
        code: Code,
        arguments: Mapping[str, Any],
        ctx: ToolContext | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Returned:
        """Call a tool, for an agent where there is a `ctx`; `variables` are this call's own."""
        source = await aside(code.source, read_source, code.source, code.name, code.language)
        filled = source.injected - (code.parameters - {"agent_state"})
        told = ctx if "agent_state" in filled else None
        shared, sealed = await self.db.read(_variables, actor, self._type, ctx)
        state = await _state(told)
        secrets = ctx.facts.opened(ctx.actor, sealed) if ctx else dict[str, str]()
        own = layered([self._opened(actor, shared), secrets, variables or {}])
        made = job_of(
            code,
            source,
            actor.organization_id,
            {**_facts(ctx, code), **own},
            self.limits,
            self.settings,
            shared.config,
        )
        job, token = self._with_client(actor, made, source, ctx)
        given = {"agent_state": state, "agent_id": ctx and ctx.agent_id}
        left_out = dict.fromkeys(source.nullable)
        values = {**left_out, **arguments, **{name: given[name] for name in filled}}
        job = replace(job, arguments=values, nested=actor.tool_of is not None)
        outcome = await self.sandbox.run(job)
        changed: Mapping[str, str] = {}
        if state is not None and outcome.status == "success":
            outcome, changed = _parted(outcome)
        redact = Redact({**own, **token})
        result = returned(code.name, outcome, redact, network=bool(job.network))
        return await self._remembered(ctx, result, redacted(changed, redact), _versions(state))

    @property
    def _type(self) -> str:
        """Whose configuration counts: every sandbox of this machine is a local one."""
        return self.sandbox.name if self.sandbox.name in REMOTE else "local"

    def _with_client(
        self, actor: Actor, job: Job, source: Source, ctx: ToolContext | None
    ) -> tuple[Job, Mapping[str, str]]:
        """The job of a tool that calls this server, and the token it does so with; others as they are."""
        server = self.server() if source.calls_server else None
        if server is None:
            return job, {}
        token: dict[str, str] = {}
        if API_KEY not in job.env:
            caller = (ctx and (ctx.run_id or ctx.agent_id)) or actor.organization_id
            installing = self.install_seconds if job.requirements else 0.0
            lifetime = run_tokens.lifetime(job.limits.wall_seconds, installing)
            token = {API_KEY: run_tokens.issue(self.ring, actor, caller, lifetime)}
        env = {"LETTA_BASE_URL": server, **job.env, **token}
        return replace(job, env=env, network=replace(job.network, server=server)), token

    def _opened(self, actor: Actor, shared: Sandboxed) -> dict[str, str]:
        place = {"table": VARIABLES, "organization": actor.organization_id}
        return {key: self.ring.open(sealed, row=id, **place) for id, key, sealed in shared.variables}

    async def _remembered(
        self,
        ctx: ToolContext | None,
        result: Returned,
        changed: Mapping[str, str],
        seen: Mapping[str, int],
    ) -> Returned:
        """Store what a tool changed in memory; it has failed where that may not be."""
        if ctx is None or not changed:
            return result
        try:
            await self.db.write(self.remember, ctx, changed, seen)
        except ToolFailed as refused:
            said = f"It ran, but what it changed in agent_state was not stored: {refused}"
            return replace(result, value=said, status="error", stderr=(*result.stderr, said))
        return result


def _variables(
    conn: Connection, actor: Actor, type: str, ctx: ToolContext | None
) -> tuple[Sandboxed, Sequence[Any]]:
    """What is stored for all tools of the organization, and the secrets of the agent."""
    return sandboxed(conn, actor, type), ctx.facts.sealed(conn, ctx.actor, ctx.agent_id) if ctx else ()


async def _state(ctx: ToolContext | None) -> Mapping[str, Any] | None:
    return await ctx.facts.state(ctx.actor, ctx.agent_id, ctx.thread_id) if ctx else None


def _versions(state: Mapping[str, Any] | None) -> dict[str, int]:
    """The versions of the blocks that a tool was shown, by label."""
    return {block["label"]: block["version"] for block in state["memory"]["blocks"]} if state else {}


def _facts(ctx: ToolContext | None, code: Code) -> dict[str, str]:
    """What a tool may read in its environment about the call."""
    facts = {
        "LETTA_AGENT_ID": ctx and ctx.agent_id,
        "LETTA_PROJECT_ID": ctx and ctx.project_id,
        "LETTA_TOOL_ID": code.id,
    }
    return {name: value for name, value in facts.items() if value}


def _parted(outcome: Any) -> tuple[Any, Mapping[str, str]]:
    """What a tool with `agent_state` returned, and what it changed there (see `guest.call`)."""
    match outcome.value:
        case {"value": value, "blocks": blocks}:
            texts = cast("dict[str, Any]", blocks)
            return replace(outcome, value=value), {label: str(text) for label, text in texts.items()}
        case _:
            return outcome, {}
