"""Inserting rows that may be there already, in both dialects."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; those that clash with a unique key of an existing row are left out."""
    if not rows:
        return
    conn.execute(_insert(conn, table).on_conflict_do_nothing(), [dict(row) for row in rows])


def _insert(conn: Connection, table: Table) -> Any:
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 30 ms that SQLite can do without

        return postgresql.insert(table)
    return sqlite.insert(table)
