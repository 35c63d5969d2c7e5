"""Postgres: units of work on asyncpg connections, through SQLAlchemy's greenlet bridge."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

P = ParamSpec("P")
R = TypeVar("R")

RETRIED = {"40001", "40P01"}  # serialization failure, deadlock
ATTEMPTS = 4


def postgres_engine(url: str, pool_size: int = 10) -> AsyncEngine:
    """An asyncpg engine for any spelling of a Postgres URL."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )


class PostgresDatabase:
    """Units of work on a pool of connections; reads autocommit, writes are one transaction."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool_size: int = 10):
        self.engine = postgres_engine(url, pool_size)
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def read(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        async with self._reading.connect() as conn:
            return await conn.run_sync(work, *args, **kwargs)

    async def write(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._write(work, *args, **kwargs)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in RETRIED:
                    raise
        return await self._write(work, *args, **kwargs)

    async def _write(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        async with self.engine.begin() as conn:
            return await conn.run_sync(work, *args, **kwargs)

    async def close(self) -> None:
        await self.engine.dispose()
