"""The history and the declared tables agree; databases are upgraded once, or refused."""

import asyncio
import importlib
import os
import pkgutil
import shutil
import sqlite3
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.util import await_only

import perdure
from perdure.db import connect, migrate
from perdure.db.migrate import HEAD, SchemaError, Upgrade, check, current_revision, run_revisions, upgrade
from perdure.db.search.corpus import is_declared
from perdure.server.tables import metadata
from perdure.tenancy.store import ensure_defaults
from perdure.testing.postgres import create_database, drop_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    server = os.environ.get("PERDURE_TEST_DATABASE_URL")
    if server is None:
        pytest.skip("no Postgres here")
    made = await create_database(server)
    yield made
    await drop_database(server, made)


@pytest.fixture
async def empty(url):
    db = connect(url)
    yield db
    await db.close()


def set_revision(conn, revision):
    conn.execute(text("update alembic_version set version_num = :revision"), {"revision": revision})


def difference(conn):
    opts = {"compare_type": True, "include_object": lambda _, name, *__: is_declared(metadata, name)}
    return compare_metadata(MigrationContext.configure(conn, opts=opts), metadata)


def test_no_table_is_forgotten():
    for module in pkgutil.walk_packages(perdure.__path__, "perdure."):
        if module.name.endswith(".tables"):
            before = set(metadata.tables)
            importlib.import_module(module.name)
            assert set(metadata.tables) == before, f"add {module.name} to perdure/server/tables.py"


async def test_the_history_gives_the_declared_tables(empty):
    await empty.write(run_revisions, None)
    assert await empty.read(current_revision) == HEAD, "set HEAD to the newest revision"
    found = await empty.read(difference)
    assert found == [], 'run: python -m perdure.cli.revise "why"'


async def test_an_empty_database_gets_the_same_without_the_history(empty, url, tmp_path):
    assert await upgrade(empty, url, metadata, folder=tmp_path) == Upgrade(None, HEAD)
    assert await empty.read(difference) == []
    await check(empty)
    assert await upgrade(empty, url, metadata, folder=tmp_path) == Upgrade(HEAD, HEAD)


async def test_names_of_indexes_and_constraints_are_the_same_either_way(empty, url, tmp_path):
    def names(conn):
        look = inspect(conn)
        return {
            (table, part["name"])
            for table in look.get_table_names()
            for part in (
                *look.get_indexes(table), *look.get_unique_constraints(table), *look.get_foreign_keys(table)
            )
        }  # fmt: skip

    await empty.write(run_revisions, None)
    by_history = await empty.read(names)
    await empty.write(metadata.drop_all)
    await empty.write(lambda conn: conn.execute(text("drop table alembic_version")))
    await upgrade(empty, url, metadata, folder=tmp_path)
    assert await empty.read(names) == by_history


async def test_an_unknown_revision_is_refused_and_nothing_changes(empty, url, tmp_path):
    await upgrade(empty, url, metadata, folder=tmp_path)
    await empty.write(set_revision, "9999")
    with pytest.raises(SchemaError, match=r"revision 9999, which this version of Perdure does not know"):
        await upgrade(empty, url, metadata, folder=tmp_path)
    with pytest.raises(SchemaError, match=r"revision 9999, this version of Perdure needs"):
        await check(empty)
    assert await empty.read(current_revision) == "9999"


async def test_tables_without_a_revision_are_refused(empty, url, tmp_path):
    await empty.write(metadata.create_all)
    with pytest.raises(SchemaError, match="no revision, so nobody can tell"):
        await upgrade(empty, url, metadata, folder=tmp_path)
    with pytest.raises(SchemaError, match="revision none"):
        await check(empty)


async def test_an_older_database_is_upgraded_with_its_rows_after_a_copy(empty, url, tmp_path, monkeypatch):
    """The next revision, played: it rebuilds a table that others point to."""
    await upgrade(empty, url, metadata, folder=tmp_path / "backups")
    await empty.write(ensure_defaults)
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts)
    (scripts / "versions" / "9000_next.py").write_text(
        f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "9000", "{HEAD}"
def upgrade():
    with op.batch_alter_table("organizations", recreate="auto") as table:
        table.alter_column("name", type_=sa.Text())
        table.add_column(sa.Column("motto", sa.String()))
"""
    )
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)
    monkeypatch.setattr(migrate, "HEAD", "9000")
    done = await upgrade(empty, url, metadata, folder=tmp_path / "backups")
    assert (done.before, done.after) == (HEAD, "9000")
    users = await empty.read(lambda conn: conn.scalar(text("select count(*) from users")))
    assert users == 1, "rebuilding a parent must not take its children"
    if url.startswith("sqlite"):
        assert done.backup
        with sqlite3.connect(done.backup) as copy:
            assert copy.execute("select version_num from alembic_version").fetchone() == (HEAD,)
        copy.close()
    else:
        assert done.backup is None


UPGRADE = """
import asyncio, sys
from pathlib import Path
from perdure.db import connect
from perdure.db.migrate import upgrade
from perdure.db.search.corpus import is_declared
from perdure.server.tables import metadata
async def main(url):
    db = connect(url)
    done = await upgrade(db, url, metadata, folder=Path(sys.argv[2]))
    await db.close()
    print(done.before, done.after)
asyncio.run(main(sys.argv[1]))
"""


async def test_servers_that_start_at_once_upgrade_once(empty, url, tmp_path):
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", UPGRADE, url, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [(await process.communicate())[0].decode().strip() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert set(said) <= {f"None {HEAD}", f"{HEAD} {HEAD}"}
    await check(empty)


async def test_what_another_server_made_meanwhile_is_seen_within_a_transaction(empty, url):
    if empty.dialect == "sqlite":
        pytest.skip("a file is locked as a whole")
    other = connect(url)

    def version(conn):
        conn.execute(text("create table alembic_version (version_num varchar(32))"))
        conn.execute(text("insert into alembic_version values (:head)"), {"head": HEAD})

    def look(conn):
        before = current_revision(conn)
        await_only(other.write(version))
        return before, current_revision(conn)

    try:
        assert await empty.write(look) == (None, HEAD)
    finally:
        await other.close()


async def test_a_current_database_needs_no_alembic(url, tmp_path):
    script = UPGRADE + "\nassert 'alembic' not in sys.modules, 'alembic was imported'\n"
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, url, str(tmp_path))
        assert await process.wait() == 0
