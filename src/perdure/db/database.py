"""One interface over both databases: `read` and `write` a unit of work."""

from collections.abc import Callable
from typing import Annotated, Concatenate, ParamSpec, Protocol, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection, make_url

from perdure.db.settings import DatabaseSettings

P = ParamSpec("P")
R = TypeVar("R")


class Database(Protocol):
    """Runs units of work. A write is one transaction; if it raises, nothing of it stays."""

    dialect: str

    async def read(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a unit of work that only reads."""
        ...

    async def write(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a unit of work in one transaction. It may run again after a deadlock: no side effects."""
        ...

    async def close(self) -> None:
        """Finish what runs and close all connections."""
        ...


def is_sqlite(url: str) -> bool:
    """Whether a database URL is one of SQLite."""
    return make_url(url).get_backend_name() == "sqlite"


def connect(url: str, options: DatabaseSettings | None = None) -> Database:
    """The database at `url`: `sqlite:///path` or `postgresql://…`."""
    options = options or DatabaseSettings()
    if is_sqlite(url):
        from perdure.db.sqlite import SqliteDatabase  # noqa: PLC0415 - drivers load on demand

        return SqliteDatabase(url, readers=options.readers, synchronous=options.synchronous)
    from perdure.db.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(url, pool_size=options.pool_size)


async def _of_request(request: Request) -> Database:
    return request.app.state.db


Db = Annotated[Database, Depends(_of_request)]
