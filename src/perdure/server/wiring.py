"""Makes the long-lived objects and joins them, by hand; `toolbox` makes those that
run tools, `knowledge` those that keep and find texts, `turns` those that answer messages.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import Connection

from perdure.agents.facts import Facts
from perdure.chat.mcp.endpoint import Endpoint
from perdure.chat.sleeptime import Sleeptime
from perdure.chat.takeover import Takeover
from perdure.config import Settings
from perdure.db import Database, connect
from perdure.db.lock import claim_instance, take_database
from perdure.db.migrate import check, upgrade
from perdure.embeddings.offline.model import inside
from perdure.kit.ids import new_id
from perdure.kit.outbound import Fetcher
from perdure.providers.base import ModelClient
from perdure.providers.catalog import Models
from perdure.providers.environment import providers_from
from perdure.runs import leases
from perdure.runs.leases import Lease, Taken
from perdure.sandbox.chosen import open_sandbox
from perdure.server.knowledge import open_knowledge
from perdure.server.tables import metadata
from perdure.server.toolbox import BUILTINS, open_toolbox
from perdure.server.turns import open_turns
from perdure.tenancy.authenticate import Authenticator, is_loopback
from perdure.tenancy.keyring import KeyRing, load_key_ring
from perdure.tenancy.store import ensure_defaults
from perdure.tools import store as tools


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
        knowledge = open_knowledge(settings, db, models, lease)
        stack.push_async_callback(knowledge.embeddings.close)
        sandbox = open_sandbox(settings.sandbox, settings.surroundings)
        stack.push_async_callback(sandbox.close)
        toolbox = open_toolbox(settings, db, ring, facts, fetcher, sandbox, knowledge, lambda: _address(app))
        turns = open_turns(settings, db, ring, lease, models, facts, fetcher, toolbox.dispatcher)
        stack.push_async_callback(turns.listener.close)
        toolbox.add_correspondence(turns.sender, settings)
        background = (
            *(models, turns.traces, turns.callbacks, toolbox.mcp_servers, turns.spill, turns.runner),
            *(Takeover(turns.worker, left_open), Sleeptime(turns.sender, settings.sleeptime)),
            *(knowledge.indexer, knowledge.parser),
        )
        for part in filter(None, background):
            await part.start()
            stack.push_async_callback(part.close)
        authenticate = self._authenticator(db, ring)
        endpoint = Endpoint(turns.sender, knowledge.archives, authenticate)
        stack.push_async_callback(endpoint.close)
        self._share(
            app,
            db=db,
            keyring=ring,
            models=models,
            archives=knowledge.archives,
            embeddings=knowledge.embeddings,
            facts=facts,
            dispatcher=toolbox.dispatcher,
            custom_tools=toolbox.custom,
            mcp_servers=toolbox.mcp_servers,
            programs=toolbox.programs,
            runner=turns.runner,
            parser=knowledge.parser,
            folder_embedding=knowledge.folder_embedding,
            callbacks=turns.callbacks,
            sender=turns.sender,
            authenticate=authenticate,
            mcp=endpoint,
        )

    def _share(self, app: FastAPI, **parts: object) -> None:
        """What routes find on the application's state."""
        shared = {"settings": self.settings, "approval_limit": self.settings.runs.approval_limit, **parts}
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
