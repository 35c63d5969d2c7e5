"""Columns that hold sealed secrets, and sealing them again after the key ring got a new key."""

from typing import Any

from sqlalchemy import Column, Connection, Table, Text, select, update

from perdure.db.schema import metadata
from perdure.tenancy.keyring import KeyRing

MARK = "sealed"


def sealed_column(name: str) -> Column[str]:
    """A column for `KeyRing.seal`'s tokens; its table needs `id` and `organization_id`."""
    return Column(name, Text, info={MARK: True})


def reseal(conn: Connection, ring: KeyRing) -> int:
    """Seal every secret of all tables with the newest key; returns how many were of older keys."""
    marked = [
        (table, column) for table in metadata.sorted_tables for column in table.c if MARK in column.info
    ]
    return sum(_reseal_column(conn, ring, table, column) for table, column in marked)


def _reseal_column(conn: Connection, ring: KeyRing, table: Table, column: Column[Any]) -> int:
    query = select(table.c.id, table.c.organization_id, column).where(column.is_not(None))
    old = [row for row in conn.execute(query.with_for_update()) if not ring.is_newest(row[2])]
    for row, organization, token in old:
        place = {"table": table.name, "row": row, "organization": organization}
        sealed = ring.seal(ring.open(token, **place), **place)
        conn.execute(update(table).where(table.c.id == row).values({column: sealed}))
    return len(old)
