"""Long computing within a unit of work: on Postgres these share the thread of the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.util import await_only

P = ParamSpec("P")
R = TypeVar("R")


def aside(conn: Connection, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What a function gives that asks no database; it keeps nobody else waiting."""
    if conn.dialect.name == "sqlite":
        return work(*args, **kwargs)
    return await_only(asyncio.to_thread(work, *args, **kwargs))
