"""Postgres: what another transaction or a lost connection spoils is tried again."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from perdure.kit.errors import InvalidArgument
from perdure.tenancy.store import create_organization


@pytest.fixture
def postgres(shared_database):
    if shared_database.dialect == "sqlite":
        pytest.skip("Postgres only")
    return shared_database


async def cut_connections(db):
    """End all idle connections of the pool, as a restarted server would."""
    others = "pid <> pg_backend_pid() and datname = current_database()"
    await db.write(
        lambda conn: conn.execute(
            text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")
        )
    )


def ping(conn):
    return conn.execute(text("select pg_backend_pid()")).scalar_one()


async def test_a_restarted_server_costs_no_request(postgres):
    for work in (postgres.read, postgres.write):
        async with postgres.engine.connect() as one, postgres.engine.connect() as two:
            for conn in (one, two):
                await conn.run_sync(ping)
        await cut_connections(postgres)
        for _ in range(5):
            assert await work(ping)


async def test_a_clash_that_stays_is_told(postgres):
    tries = 0

    def work(conn):
        nonlocal tries
        tries += 1
        conn.execute(text("insert into organizations select * from organizations limit 1"))

    with pytest.raises(IntegrityError):
        await postgres.write(work)
    assert tries == 4


async def test_another_fault_is_told_at_once(postgres):
    with pytest.raises(DBAPIError, match="no_such_table"):
        await postgres.read(lambda conn: conn.execute(text("select * from no_such_table")))


async def test_a_nul_is_the_callers_mistake(postgres):
    with pytest.raises(InvalidArgument, match="NUL"):
        await postgres.write(create_organization, "a\x00b")
