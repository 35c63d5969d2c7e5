"""News between the servers of one database: Postgres' LISTEN and NOTIFY. SQLite has one server.

A notification names what there is something new of, for example the stream of a run. It may be lost with
its connection, so who waits for one looks for itself now and then.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from perdure.db.database import is_sqlite

log = logging.getLogger(__name__)

MOST_IN_ONE = 100  # a payload holds 8,000 bytes
RETRY_SECONDS = 1.0
NOTIFY = select(func.pg_notify(bindparam("channel"), bindparam("payload")))
ASYNCHRONOUS = select(func.set_config("synchronous_commit", "off", True))


def notify(conn: Connection, channel: str, keys: Collection[str]) -> None:
    """Tell the other servers, with this transaction's commit, that there is something new at these keys."""
    if conn.dialect.name != "postgresql":
        return
    words = list(keys)
    for start in range(0, len(words), MOST_IN_ONE):
        payload = " ".join(words[start : start + MOST_IN_ONE])
        conn.execute(NOTIFY, {"channel": channel, "payload": payload})


def commit_without_waiting(conn: Connection) -> None:
    """Let this transaction's commit not wait for the disk: a crash of the database may lose it, whole."""
    if conn.dialect.name == "postgresql":
        conn.execute(ASYNCHRONOUS)


class Watch:
    """One who wants to know of news at a key; what comes while nobody waits is kept for the next wait."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def tell(self) -> None:
        """There is something new, or may be."""
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Wait for news, at the most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()


class Listener:
    """Hears what other servers tell on one channel. It connects when the first one wants to know."""

    def __init__(self, url: str, channel: str):
        self.channel = channel
        self.hearing = False
        self._url = None if is_sqlite(url) else url
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watch(self, key: str) -> Generator[Watch, None, None]:
        """News of a key for as long as the context lasts."""
        if self._url and self._task is None:
            self._task = asyncio.create_task(self._listen(self._url), name=f"listen-{self.channel}")
        watch = Watch()
        self._watches[key].add(watch)
        try:
            yield watch
        finally:
            self._watches[key].discard(watch)
            if not self._watches[key]:
                del self._watches[key]

    async def close(self) -> None:
        """Stop listening."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self, url: str) -> None:
        """Keep a connection that listens; whatever was missed without one, all are told to look."""
        while True:
            try:
                async with _connected(url, self.channel, self._hear) as lost:
                    self.hearing = True
                    self._look()
                    await lost.wait()
            except (OSError, SQLAlchemyError) as error:
                log.warning("cannot listen for news of other servers (%s); trying again", error)
            self.hearing = False
            self._look()
            await asyncio.sleep(RETRY_SECONDS)

    def _hear(self, *told: Any) -> None:
        """A notification: connection, process, channel, payload."""
        for key in str(told[-1]).split():
            for watch in self._watches.get(key, ()):
                watch.tell()

    def _look(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.tell()


@contextlib.asynccontextmanager
async def _connected(url: str, channel: str, hear: Any) -> AsyncGenerator[asyncio.Event, None]:
    """A connection of its own that listens; the event is set when it is lost."""
    from perdure.db.postgres import postgres_engine  # noqa: PLC0415 - drivers load on demand

    engine = postgres_engine(url, pool_size=1)
    lost = asyncio.Event()
    try:
        async with engine.connect() as conn:
            raw: Any = (await conn.get_raw_connection()).driver_connection
            raw.add_termination_listener(_setting(lost))
            await _listening(raw, channel, hear)
            yield lost
    finally:
        await engine.dispose()


async def _listening(raw: Any, channel: str, hear: Any) -> None:
    """Begin to listen on a driver's connection, whose errors are the driver's own."""
    import asyncpg  # noqa: PLC0415 - drivers load on demand

    try:
        await raw.add_listener(channel, hear)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConnectionError(str(error)) from error


def _setting(event: asyncio.Event) -> Callable[[Any], None]:
    return lambda _connection: event.set()
