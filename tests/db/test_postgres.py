"""Postgres: what another transaction or a lost connection spoils is tried again."""

import asyncio
from random import Random

import pytest
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from perdure.db.prepared import Prepared
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import new_id
from perdure.tenancy.store import create_organization
from perdure.tenancy.tables import organizations


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


async def test_a_cancelled_unit_of_work_leaves_nothing_and_its_connection_is_fit(postgres):
    sleep = Prepared(select(func.pg_sleep(bindparam("seconds"))))
    name = new_id("org")

    def work(conn, wait):
        create_organization(conn, name)
        wait(conn)

    for wait in (
        lambda conn: sleep.all(conn, {"seconds": 30}),
        lambda conn: conn.execute(text("select pg_sleep(30)")),
    ):
        for _ in range(25):  # more than the pool could lose
            task = asyncio.create_task(postgres.write(work, wait))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await postgres.read(ping)
    known = select(organizations.c.id).where(organizations.c.name == name)
    assert await postgres.read(lambda conn: conn.execute(known).all()) == []
    assert await postgres.write(lambda conn: sleep.all(conn, {"seconds": 0})) is not None


async def test_units_of_work_that_are_cancelled_at_any_moment_leave_no_transaction_open(postgres):
    name, random = new_id("org"), Random(1)
    await postgres.write(create_organization, name)
    ours = update(organizations).where(organizations.c.name == name)
    touch = Prepared(ours)

    def alone(conn):
        touch.later(conn, {"privileged_tools": False})

    def begun(conn):
        touch.run(conn, {"privileged_tools": False})
        conn.execute(text("select 1"))
        touch.later(conn, {"privileged_tools": False})

    open_ones = "state like 'idle in transaction%' and datname = current_database()"
    for _ in range(100):
        tasks = [asyncio.create_task(postgres.write(random.choice((alone, begun)))) for _ in range(2)]
        await asyncio.sleep(random.random() * 0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(postgres.write(alone), 5)
    found = text(f"select query from pg_stat_activity where {open_ones}")
    assert await postgres.read(lambda conn: conn.execute(found).all()) == []
