"""Makes the long-lived objects and joins them, by hand; `toolbox` makes those that run tools."""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI
from sqlalchemy import Connection

from perdure.agents import archives as archive_links
from perdure.agents.facts import Facts
from perdure.agents.folders.tools import FileAccess
from perdure.archives.archives import Archives
from perdure.chat.callbacks import Callbacks
from perdure.chat.mcp.endpoint import Endpoint
from perdure.chat.prepare import Preparer
from perdure.chat.send import Sender
from perdure.chat.sleeptime import Sleeptime
from perdure.chat.tail import Tails
from perdure.chat.takeover import Takeover
from perdure.chat.worker import Worker
from perdure.config import Settings
from perdure.db import Database, connect
from perdure.db.lock import claim_instance, take_database
from perdure.db.migrate import check, upgrade
from perdure.db.notify import Listener
from perdure.db.search import Corpus
from perdure.embeddings.catalog import Embeddings
from perdure.embeddings.indexer import Indexer
from perdure.embeddings.offline.model import inside
from perdure.files.embedding import FolderEmbedding
from perdure.files.parser import Parser
from perdure.files.queue import Holder
from perdure.kit.ids import new_id
from perdure.kit.outbound import Fetcher
from perdure.loop.order import Environment
from perdure.loop.traces import TraceLog
from perdure.passages.tables import PASSAGES
from perdure.providers.base import ModelClient
from perdure.providers.catalog import Models
from perdure.providers.environment import providers_from
from perdure.runs import leases
from perdure.runs.frames import CHANNEL
from perdure.runs.leases import Lease, Taken
from perdure.runs.runner import Runner
from perdure.runs.spill import Spill
from perdure.sandbox.chosen import open_sandbox
from perdure.server.tables import metadata
from perdure.server.toolbox import BUILTINS, open_toolbox
from perdure.tenancy.authenticate import Authenticator, is_loopback
from perdure.tenancy.keyring import KeyRing, load_key_ring
from perdure.tenancy.store import ensure_defaults
from perdure.tools import store as tools

CORPORA: tuple[Corpus, ...] = (PASSAGES,)  # all that is kept embedded


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
        facts, fetcher = Facts(db, ring, models), Fetcher(settings.outbound)
        embeddings = Embeddings(models, settings.embeddings)
        stack.push_async_callback(embeddings.close)
        indexer = Indexer(db, embeddings, CORPORA)
        folder_embedding = FolderEmbedding(db, models, embeddings, indexer.wake)
        files = FileAccess(models, folder_embedding)
        parser = Parser(db, Holder(lease.owner, lease.seconds), settings.files, folder_embedding)
        sandbox = open_sandbox(settings.sandbox, settings.surroundings)
        stack.push_async_callback(sandbox.close)
        archives = Archives(db, archive_links, embeddings, indexer)
        toolbox = open_toolbox(
            settings, db, ring, facts, fetcher, sandbox, archives, files, lambda: _address(app)
        )
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
            toolbox.dispatcher,
            lease,
            facts,
            traces,
            settings.runs.approval_limit,
            resolve=models.resolve,
            summaries=settings.summaries,
        )
        worker = Worker(environment, Preparer(environment, models), runner, callbacks)
        sender = Sender(worker, tails, settings.runs, settings.streams, fetcher)
        toolbox.add_correspondence(sender, settings)
        takeover = Takeover(worker, left_open)
        sleeptime = Sleeptime(sender, settings.sleeptime)
        parts = (models, traces, callbacks, toolbox.mcp_servers, spill, runner, takeover, sleeptime)
        for part in (*parts, indexer, parser):
            if part:
                await part.start()
                stack.push_async_callback(part.close)
        authenticate = self._authenticator(db, ring)
        endpoint = Endpoint(sender, archives, authenticate)
        stack.push_async_callback(endpoint.close)
        shared = {
            "settings": settings,
            "approval_limit": settings.runs.approval_limit,
            "db": db,
            "keyring": ring,
            "models": models,
            "archives": archives,
            "embeddings": embeddings,
            "indexer": indexer,
            "facts": facts,
            "dispatcher": toolbox.dispatcher,
            "custom_tools": toolbox.custom,
            "mcp_servers": toolbox.mcp_servers,
            "programs": toolbox.programs,
            "runner": runner,
            "parser": parser,
            "folder_embedding": folder_embedding,
            "callbacks": callbacks,
            "sender": sender,
            "authenticate": authenticate,
            "mcp": endpoint,
        }
        for name, part in shared.items():
            setattr(app.state, name, part)

    def _models(self, db: Database, ring: KeyRing) -> Models:
        settings = self.settings
        found = providers_from(settings.environment, settings.all_providers)
        return Models(
            db, ring, settings=settings.models, providers=found, static=self.static, inside=inside()
        )

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
