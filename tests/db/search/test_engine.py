"""What only computes holds nobody up."""
# pyright: basic

import threading

from perdure.db.search.engine import QUICK, aside


async def test_on_postgres_long_work_leaves_the_thread_that_all_share(database):
    here = threading.get_ident()
    many = await database.read(lambda conn: aside(conn, QUICK + 1, threading.get_ident))
    few = await database.read(lambda conn: aside(conn, QUICK, threading.get_ident))
    assert many != here
    assert (few == here) == (database.dialect == "postgresql")
