"""Postgres: units of work on asyncpg connections, through SQLAlchemy's greenlet bridge."""

import contextlib
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from perdure.db.prepared import settle, together
from perdure.db.refused import refusal
from perdure.db.schema import json_text

P = ParamSpec("P")
R = TypeVar("R")

# Serialization failure and deadlock; and a clash with a row that another transaction has just made or
# deleted: run again, the unit of work sees what the other did and says so itself.
RETRIED = {"40001", "40P01", "23503", "23505"}
ATTEMPTS = 4


def postgres_engine(url: str, pool_size: int = 10) -> AsyncEngine:
    """An asyncpg engine for any spelling of a Postgres URL."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        json_serializer=json_text,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def what_waits_goes_first(conn: Connection, *_: Any) -> None:
        settle(conn)

    make_anew_what_is_stale(engine.sync_engine)
    return engine


def make_anew_what_is_stale(engine: Engine) -> None:
    """Whatever cut one connection has cut those that wait in the pool: they are replaced when next used."""
    lost: list[BaseException] = []

    @event.listens_for(engine, "invalidate")
    def one_is_lost(_connection: Any, _record: Any, error: BaseException | None) -> None:
        ours = isinstance(error, InvalidatePoolError)
        if isinstance(error, Exception) and not ours:  # nor one whose unit of work was cancelled
            lost.append(error)

    @event.listens_for(engine, "checkout")
    def the_others_are_stale(*_: Any) -> None:
        if lost:
            lost.clear()
            raise InvalidatePoolError


class TryAgain(Exception):
    """Nothing of the work was done, and another try may go better."""

    def __init__(self, error: DBAPIError):
        super().__init__(str(error))
        self.error = error


class PostgresDatabase:
    """Units of work on a pool of connections; reads autocommit, writes are one transaction."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool_size: int = 10):
        self.engine = postgres_engine(url, pool_size)
        self._writing = self.engine.sync_engine
        self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    async def read(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        return await _run(self._reading, work, *args, **kwargs)

    async def write(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        return await _run(self._writing, together, work, *args, **kwargs)

    async def close(self) -> None:
        await self.engine.dispose()


async def _run(engine: Engine, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Run a unit of work, again where that may go better; a failed commit is never tried again."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(TryAgain):
            return await greenlet_spawn(_try, engine, work, *args, **kwargs)
    try:
        return await greenlet_spawn(_try, engine, work, *args, **kwargs)
    except TryAgain as last:
        raise last.error from None


def _try(engine: Engine, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """One connection, transaction and unit of work in one greenlet: each change of greenlets costs."""
    with engine.begin() as conn:
        try:
            return work(conn, *args, **kwargs)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if error.connection_invalidated or state in RETRIED:
                raise TryAgain(error) from error
            if told := refusal(error):
                raise told from error
            raise
        except (StatementError, OverflowError, UnicodeEncodeError) as error:
            if told := refusal(error):
                raise told from error
            raise
