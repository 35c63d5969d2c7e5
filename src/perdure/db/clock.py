"""The database's own time, for what several processes compare: their clocks may differ."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from perdure.db.schema import Moment


class db_time(FunctionElement[datetime]):  # noqa: N801 - SQL functions are written small
    """The present, moved by some seconds; also in a long transaction it is the present."""

    type = Moment()
    inherit_cache = True


def seconds_from_now(name: str) -> ColumnElement[datetime]:
    """The moment as many seconds from now as the parameter of this name says."""
    return db_time(bindparam(name, type_=Float))


def present() -> ColumnElement[datetime]:
    """The present."""
    return db_time(bindparam(None, 0.0, type_=Float))


@compiles(db_time, "postgresql")
def _on_postgres(element: db_time, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + {seconds} * interval '1 second')"


@compiles(db_time, "sqlite")
def _on_sqlite(element: db_time, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"
