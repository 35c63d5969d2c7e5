"""Makes the long-lived objects and joins them, by hand; nothing else makes them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI
from sqlalchemy import Connection

from perdure.agents.facts import Facts
from perdure.chat import tools as agent_tools
from perdure.chat.callbacks import Callbacks
from perdure.chat.correspondence import Correspondence
from perdure.chat.mcp.endpoint import Endpoint
from perdure.chat.prepare import Preparer
from perdure.chat.send import Sender
from perdure.chat.tail import Tails
from perdure.chat.takeover import Takeover
from perdure.chat.worker import Worker
from perdure.config import Settings
from perdure.db import Database, connect
from perdure.db.lock import claim_instance, take_database
from perdure.db.migrate import check, upgrade
from perdure.db.notify import Listener
from perdure.kit.ids import new_id
from perdure.kit.outbound import Fetcher
from perdure.loop.order import Environment
from perdure.loop.traces import TraceLog
from perdure.mcp.registered import KIND as MCP
from perdure.mcp.servers import Servers as McpServers
from perdure.memory import tools as memory_tools
from perdure.memory.reach import remember
from perdure.messages import tools as message_tools
from perdure.providers.base import ModelClient
from perdure.providers.catalog import Models
from perdure.providers.environment import providers_from
from perdure.runs import leases
from perdure.runs.frames import CHANNEL
from perdure.runs.leases import Lease, Taken
from perdure.runs.runner import Runner
from perdure.runs.spill import Spill
from perdure.sandbox.chosen import open_sandbox
from perdure.sandbox.surroundings import Surroundings
from perdure.server.tables import metadata
from perdure.tenancy.authenticate import Authenticator, is_loopback
from perdure.tenancy.keyring import KeyRing, load_key_ring
from perdure.tenancy.store import ensure_defaults
from perdure.tools import code as code_tools
from perdure.tools import store as tools
from perdure.tools.base import bound
from perdure.tools.code import CodeRunner
from perdure.tools.custom.execute import CustomTools
from perdure.tools.dispatch import Dispatcher
from perdure.tools.programs import tools as program_tools
from perdure.tools.programs.programs import Programs
from perdure.tools.send_message import send_message
from perdure.web import tools as web_tools
from perdure.web.tools import Web

BUILTINS = (
    send_message,
    *memory_tools.TOOLS,
    *message_tools.TOOLS,
    *agent_tools.TOOLS,
    *web_tools.TOOLS,
    *code_tools.TOOLS,
    *program_tools.TOOLS,
)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What an application is made from; the lifespan opens it and closes it again."""

    settings: Settings
    static: Mapping[str, ModelClient]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncGenerator[None, None]:
        """Everything open while the application serves, closed in the opposite order."""
        settings = self.settings
        async with contextlib.AsyncExitStack() as stack:
            if held := take_database(settings.database_url):
                stack.callback(held.release)
            instance, held = claim_instance(settings.home)
            stack.callback(held.release)
            db = connect(settings.database_url, settings.database)
            stack.push_async_callback(db.close)
            lease = Lease(f"{instance}:{new_id('boot')}", settings.runs.lease_seconds)
            await self._open(app, stack, db, lease, await self._prepare(db, lease))
            yield

    async def _prepare(self, db: Database, lease: Lease) -> list[Taken]:
        """The newest tables, the rows every server needs; returns the runs that an earlier life left open."""
        options = self.settings.database
        if options.upgrade:
            folder = self.settings.home / "backups"
            await upgrade(db, self.settings.database_url, metadata, folder=folder, backups=options.backups)
        else:
            await check(db)
        return await db.write(_begin, lease)

    async def _open(
        self,
        app: FastAPI,
        stack: contextlib.AsyncExitStack,
        db: Database,
        lease: Lease,
        left_open: list[Taken],
    ) -> None:
        settings = self.settings
        ring = load_key_ring(settings.home, [key.get_secret_value() for key in settings.encryption_keys])
        models = self._models(db, ring)
        around = Surroundings(
            settings.home / "environments", settings.environment, settings.outbound.networks
        )
        sandbox = open_sandbox(settings.sandbox, around)
        stack.push_async_callback(sandbox.close)
        fetcher = Fetcher(settings.outbound)
        facts = Facts(db, ring, models)
        mcp_servers = McpServers(db, ring, fetcher, settings.mcp, settings.home, facts)
        custom = CustomTools(
            db,
            ring,
            sandbox,
            settings.tools,
            settings.sandbox.limits,
            settings.sandbox.environments.seconds,
            remember,
            lambda: _address(app),
        )
        dispatcher = Dispatcher(BUILTINS, {"custom": custom.execute, MCP: mcp_servers.execute})
        keep = timedelta(hours=settings.runs.frames_hours)
        spill = Spill(db, lease.owner, keep)
        listener = Listener(settings.database_url, CHANNEL)
        stack.push_async_callback(listener.close)
        runner = Runner(db, lease, spill)
        tails = Tails(db, runner, listener, keep)
        traces = TraceLog(db) if settings.runs.trace else None
        callbacks = Callbacks(db, ring, fetcher, settings.runs)
        environment = Environment(
            db,
            dispatcher,
            lease,
            facts,
            traces,
            settings.runs.approval_limit,
            resolve=models.resolve,
            summaries=settings.summaries,
        )
        worker = Worker(environment, Preparer(environment, models), runner, callbacks)
        for part in (models, traces, callbacks, mcp_servers, spill, runner, Takeover(worker, left_open)):
            if part:
                await part.start()
                stack.push_async_callback(part.close)
        app.state.settings = settings
        app.state.approval_limit = settings.runs.approval_limit
        app.state.db = db
        app.state.keyring = ring
        app.state.models = models
        app.state.dispatcher = dispatcher
        app.state.sandbox = sandbox
        app.state.mcp_servers = mcp_servers
        app.state.custom_tools = custom
        app.state.facts = facts
        app.state.runner = runner
        app.state.callbacks = callbacks
        sender = Sender(worker, tails, settings.runs, settings.streams, fetcher)
        web = Web(fetcher, settings.search, settings.environment)
        dispatcher.add(bound(web_tools.TOOLS, web))
        code_runner = CodeRunner(sandbox, settings.sandbox.limits, settings.tools)
        places = asyncio.Semaphore(settings.sandbox.programs)
        programs = Programs(code_runner, dispatcher, ring, lambda: _address(app), places)
        dispatcher.add(bound(code_tools.TOOLS, code_runner))
        dispatcher.add(bound(program_tools.TOOLS, programs))
        app.state.programs = programs
        dispatcher.add(bound(agent_tools.TOOLS, Correspondence(sender, settings.multiagent)))
        app.state.sender = sender
        app.state.authenticate = self._authenticator(db, ring)
        app.state.mcp = Endpoint(app.state.sender, app.state.authenticate)
        stack.push_async_callback(app.state.mcp.close)

    def _models(self, db: Database, ring: KeyRing) -> Models:
        settings = self.settings
        found = providers_from(settings.environment, settings.all_providers)
        return Models(db, ring, settings=settings.models, providers=found, static=self.static)

    def _authenticator(self, db: Database, ring: KeyRing) -> Authenticator:
        settings = self.settings
        return Authenticator(
            db,
            ring,
            settings.api_key.get_secret_value() if settings.api_key else None,
            loopback=is_loopback(settings.host),
            prepare=_prepare_organization,
        )


def _address(app: FastAPI) -> str | None:
    """Where tools reach this server: as set, else where `address` says it listens."""
    return app.state.settings.tools.server_url or getattr(app.state, "address", None)


def _begin(conn: Connection, lease: Lease) -> list[Taken]:
    ensure_defaults(conn)
    tools.sync_all(conn, BUILTINS)
    instance = lease.owner.partition(":")[0]
    return leases.take_over(conn, lease, earlier=f"{instance}:")


def _prepare_organization(conn: Connection, organization_id: str) -> None:
    tools.sync_builtins(conn, organization_id, BUILTINS)
