"""Inserting rows that may be there already, in both dialects."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; those that clash with a unique key of an existing row are left out."""
    if not rows:
        return
    conn.execute(_insert_new(conn.dialect.name, table), [dict(row) for row in rows])


@cache
def _insert_new(dialect: str, table: Table) -> Any:
    """Built once for each table: building a statement costs more than running it."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 30 ms that SQLite can do without

        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
