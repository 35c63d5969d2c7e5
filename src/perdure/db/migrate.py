"""Bringing the tables up to date: one history of revisions for both databases.

A current database is recognized by one query and an empty one gets the tables as they are declared
(a test holds declarations and revisions together), so Alembic, which takes long to import, is loaded
for true upgrades only. A revision this version does not know is refused, never guessed.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, inspect, text

from perdure.db.backup import keep_copy
from perdure.db.database import Database
from perdure.db.lock import sqlite_path, take
from perdure.kit.errors import PerdureError

HEAD = "0001"
SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 7_263_554_218  # any number that no other program uses on the same database

EXISTS = {
    "sqlite": "select 1 from sqlite_master where name = 'alembic_version'",
    # Not by `to_regclass`, which may still say what it said before another server's upgrade was waited for.
    "postgresql": "select 1 from pg_catalog.pg_tables where tablename = 'alembic_version' "
    "and schemaname = any(current_schemas(false))",
}


class SchemaError(PerdureError):
    """The database's tables are not what this version can work with."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did; `before` is None for an empty database."""

    before: str | None
    after: str
    backup: Path | None = None


async def upgrade(db: Database, url: str, tables: MetaData, *, folder: Path, backups: int = 5) -> Upgrade:
    """Bring the database at `url` to the newest revision, after a copy of a SQLite file to `folder`.

    `tables` are all that are declared: `perdure.server.tables.metadata`.
    """
    revision = await db.read(current_revision)
    if revision == HEAD:
        return Upgrade(revision, HEAD)
    path = sqlite_path(url)
    if path is None:
        return Upgrade(await db.write(_upgrade_locked, tables), HEAD)
    return await asyncio.to_thread(_upgrade_file, url, path, tables, folder, backups)


async def check(db: Database) -> None:
    """Raise `SchemaError` unless the database is at the newest revision."""
    revision = await db.read(current_revision)
    if revision != HEAD:
        raise SchemaError(
            f"The database is at revision {revision or 'none'}, this version of Perdure needs {HEAD}; "
            "run `perdure db upgrade`."
        )


def current_revision(conn: Connection) -> str | None:
    """The revision the database is at; None when it has none."""
    if conn.scalar(text(EXISTS[conn.dialect.name])) is None:
        return None
    return conn.scalar(text("select version_num from alembic_version"))


def _upgrade_locked(conn: Connection, tables: MetaData) -> str | None:
    """On Postgres: others that upgrade wait for the end of this transaction, then find it done."""
    conn.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    return _upgrade_connection(conn, tables)


def _upgrade_file(url: str, path: Path, tables: MetaData, folder: Path, backups: int) -> Upgrade:
    held = take(path.with_name(path.name + ".upgrade"), wait=True)
    assert held is not None
    try:
        with _unchecked(url) as conn:
            revision = current_revision(conn)
        if revision == HEAD:
            return Upgrade(revision, HEAD)
        backup = keep_copy(path, folder, backups) if revision else None
        with _unchecked(url) as conn:
            return Upgrade(_upgrade_connection(conn, tables), HEAD, backup)
    finally:
        held.release()


@contextmanager
def _unchecked(url: str) -> Generator[Connection]:
    """A transaction on SQLite with foreign keys checked at its end, not for each statement.

    Changing a table there means to copy and drop it; with keys on, dropping would cascade.
    """
    from perdure.db.sqlite import begin, sqlite_engine  # noqa: PLC0415 - drivers load on demand

    engine = sqlite_engine(url)
    with engine.connect() as conn:
        raw: Any = conn.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")
        with conn.begin():
            begin(conn)
            yield conn
            broken = conn.execute(text("PRAGMA foreign_key_check")).all()
            if broken:
                raise SchemaError(
                    f"The upgrade was undone: it would leave rows without parents ({broken[0]})."
                )
    engine.dispose()


def _upgrade_connection(conn: Connection, tables: MetaData) -> str | None:
    revision = current_revision(conn)
    if revision is None:
        _create(conn, tables)
    elif revision != HEAD:
        run_revisions(conn, revision)
    return revision


def _create(conn: Connection, tables: MetaData) -> None:
    present = set(inspect(conn).get_table_names()) & set(tables.tables)
    if present:
        names = ", ".join(sorted(present)[:3])
        raise SchemaError(
            f"The database has tables of Perdure's names ({names}) but no revision, so nobody can tell what "
            "they are. Point PERDURE_DATABASE_URL at an empty database."
        )
    tables.create_all(conn, checkfirst=False)
    conn.execute(text("create table alembic_version (version_num varchar(32) not null primary key)"))
    conn.execute(text("insert into alembic_version values (:head)"), {"head": HEAD})


def run_revisions(conn: Connection, revision: str | None) -> None:
    """Run all revisions after `revision` on a connection, in its transaction."""
    from alembic import command  # noqa: PLC0415 - 0.8 s of import
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = alembic_config(conn)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaError(
            f"The database is at revision {revision}, which this version of Perdure does not know; a newer "
            "version was here. Start that version again, or restore a backup made before the upgrade."
        )
    command.upgrade(config, "head")


def alembic_config(conn: Connection) -> Any:
    """What Alembic needs to know to work on a connection."""
    from alembic.config import Config  # noqa: PLC0415 - 0.8 s of import

    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
