"""SQLite: one writer thread, a few reader threads, WAL."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import StatementError
from sqlalchemy.pool import NullPool

from perdure.db.prepared import execute
from perdure.db.refused import refusal
from perdure.db.schema import json_text

P = ParamSpec("P")
R = TypeVar("R")
Synchronous = Literal["normal", "full"]
Mode = Literal["IMMEDIATE", "DEFERRED"]

# In KiB. What readers miss is in the system's own cache; theirs would hold the same pages once each.
READER_CACHE = 2048
WRITER_CACHE = 8192
PRAGMAS = (
    "journal_mode=WAL",
    "foreign_keys=ON",
    "busy_timeout=10000",
    f"cache_size=-{READER_CACHE}",
    "temp_store=MEMORY",
)


def sqlite_engine(url: str, synchronous: Synchronous = "normal") -> Engine:
    """An engine that begins nothing by itself: `begin` does, the first thing in a transaction."""
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args={"check_same_thread": False},
        json_serializer=json_text,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in (*PRAGMAS, f"synchronous={synchronous}"):
            raw.execute(f"PRAGMA {pragma}")

    return engine


def begin(conn: Connection, mode: Mode = "IMMEDIATE") -> None:
    """Begin a real transaction: `IMMEDIATE` for who writes, `DEFERRED` for who only reads."""
    execute(conn, f"BEGIN {mode}")


class SqliteDatabase:
    """Units of work on one SQLite file: writes queue for a single thread, reads run beside them."""

    dialect = "sqlite"

    def __init__(self, url: str, *, readers: int = 4, synchronous: Synchronous = "normal"):
        self.engine = sqlite_engine(url, synchronous)
        self._writer = ThreadPoolExecutor(1, "sqlite-writer")
        self._readers = ThreadPoolExecutor(readers, "sqlite-reader")
        self._local = threading.local()
        self._open: list[Connection] = []

    async def read(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        call = partial(self._run, "DEFERRED", work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def write(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        call = partial(self._run, "IMMEDIATE", work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._writer, call)

    def _run(self, mode: Mode, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self.engine.connect()
            if mode == "IMMEDIATE":
                cast("Any", conn.connection).execute(f"PRAGMA cache_size=-{WRITER_CACHE}")
            self._open.append(conn)
        with conn.begin():
            begin(conn, mode)
            try:
                return work(conn, *args, **kwargs)
            except (StatementError, OverflowError, UnicodeEncodeError) as error:
                if told := refusal(error):
                    raise told from error
                raise

    async def close(self) -> None:
        def stop() -> None:
            self._readers.shutdown()
            self._writer.shutdown()
            for conn in self._open:
                conn.close()
            self.engine.dispose()

        await asyncio.to_thread(stop)
