"""Doing one thing with the database from the command line."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import TypeVar

from sqlalchemy import make_url

from perdure.config import Settings
from perdure.db import Database, connect
from perdure.db.lock import take_database
from perdure.db.migrate import Upgrade, check, current_revision, upgrade
from perdure.server.tables import metadata
from perdure.tenancy.store import ensure_defaults

R = TypeVar("R")


def with_database(
    settings: Settings,
    work: Callable[[Database], Awaitable[R]],
    *,
    exclusive: str | None = None,
    ready: bool = True,
) -> R:
    """Open the configured database for one piece of work, which mostly wants it `ready`.

    `exclusive` names what reserves a SQLite file; without it, a server may be at work beside us.
    """

    async def run() -> R:
        async with open_database(settings) as db:
            if ready:
                await _make_ready(db, settings)
            return await work(db)

    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        if exclusive and (held := take_database(settings.database_url, purpose=exclusive)):
            stack.callback(held.release)
        return asyncio.run(run())


def no_answer(settings: Settings, error: Exception) -> str:
    """That the configured database does not answer, and why; without its password."""
    reason = str(getattr(error, "orig", None) or error) or type(error).__name__
    return f"{shown_url(settings)} does not answer: {reason.splitlines()[0]}"


def shown_url(settings: Settings) -> str:
    """The database's URL without its password."""
    return make_url(settings.database_url).render_as_string(hide_password=True)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[Database]:
    """The configured database, closed at the end."""
    db = connect(settings.database_url)
    try:
        yield db
    finally:
        await db.close()


async def bring_up(db: Database, settings: Settings) -> Upgrade:
    """Upgrade to the newest revision; copies of a SQLite file go to the home."""
    folder, keep = settings.home / "backups", settings.database.backups
    return await upgrade(db, settings.database_url, metadata, folder=folder, backups=keep)


async def _make_ready(db: Database, settings: Settings) -> None:
    """Fill an empty database; one of another revision is not changed under a server that may run."""
    if await db.read(current_revision) is None:
        await bring_up(db, settings)
        await db.write(ensure_defaults)
    else:
        await check(db)
