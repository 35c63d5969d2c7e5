"""The database's time: the present, whatever this process thinks and however long a transaction lasts."""

import time
from datetime import datetime, timedelta

from sqlalchemy import Connection, literal, select

from perdure.db.clock import present, seconds_from_now
from perdure.db.prepared import Prepared
from perdure.db.schema import Moment
from perdure.kit.clock import now

SHIFTED = select(seconds_from_now("seconds").label("moment"))
SECOND = timedelta(seconds=1)


def shifted(conn: Connection, seconds: float) -> datetime:
    return conn.execute(SHIFTED, {"seconds": seconds}).scalar_one()


async def test_it_is_the_present_and_can_be_moved(database):
    for seconds in (0.0, 30.0, -90.5, 86_400.0):
        told = await database.read(shifted, seconds)
        assert abs(told - now() - timedelta(seconds=seconds)) < SECOND


async def test_it_compares_with_stored_moments(database):
    def is_past(conn: Connection, moment: datetime) -> bool:
        return conn.execute(select(literal(moment, Moment()) < present())).scalar_one()

    assert await database.read(is_past, now() - SECOND)
    assert not await database.read(is_past, now() + SECOND)


async def test_it_goes_on_in_a_long_transaction(database):
    def twice(conn: Connection) -> tuple[datetime, datetime]:
        first = shifted(conn, 0.0)
        time.sleep(0.02)
        return first, shifted(conn, 0.0)

    first, second = await database.write(twice)
    assert second > first


async def test_it_can_be_prepared(database):
    statement = Prepared(select(seconds_from_now("seconds"), present()))
    then, at = (await database.read(statement.all, {"seconds": 60.0}))[0]
    assert abs(then - at - timedelta(seconds=60)) < SECOND
