"""News between servers: heard once told, also after a lost connection."""

import asyncio

import asyncpg
import pytest
from tests.db.test_postgres import cut_connections

from perdure.db import notify as module
from perdure.db.notify import Listener, notify


@pytest.fixture
def db(shared_database):
    return shared_database


@pytest.fixture
async def listener(db, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    url = db.engine.url.render_as_string(hide_password=False)
    made = Listener(url, "perdure_test")
    yield made
    await made.close()


async def heard(watch, seconds: float = 5.0) -> bool:
    began = asyncio.get_running_loop().time()
    await watch.wait(seconds)
    return asyncio.get_running_loop().time() - began < seconds


async def listening(listener) -> None:
    for _ in range(500):
        if listener.hearing:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not listen")


async def test_who_waits_is_told_by_key(db, listener):
    if db.dialect == "sqlite":
        pytest.skip("SQLite has one server")
    with listener.watch("a") as a, listener.watch("a") as also, listener.watch("b") as b:
        await listening(listener)
        for watch in (a, also, b):
            assert await heard(watch)  # a new connection: who knows what was missed
        await db.write(notify, "perdure_test", ["a", *(f"key-{n}" for n in range(300))])
        assert await heard(a)
        assert await heard(also)
        assert not await heard(b, 0.05)
        await db.write(notify, "elsewhere", ["b"])
        assert not await heard(b, 0.05)


async def test_news_that_come_between_two_waits_are_not_lost():
    listener = Listener("sqlite://", "perdure_test")
    with listener.watch("a") as watch:
        watch.tell()
        assert await heard(watch)
        assert not await heard(watch, 0.02)
    assert listener._watches == {}


async def test_a_lost_connection_is_made_anew_and_all_are_told_to_look(db, listener):
    if db.dialect == "sqlite":
        pytest.skip("SQLite has one server")
    with listener.watch("a") as watch:
        await listening(listener)
        assert await heard(watch)
        await cut_connections(db)
        assert await heard(watch)
        await asyncio.sleep(0.05)
        await listening(listener)
        assert await heard(watch, 0.5)
        await db.write(notify, "perdure_test", ["a"])
        assert await heard(watch)


async def test_a_connection_that_is_lost_before_it_listens_is_made_anew(db, listener, monkeypatch):
    if db.dialect == "sqlite":
        pytest.skip("SQLite has one server")
    listen, tries = asyncpg.Connection.add_listener, []

    async def cut_once(self, *args):
        tries.append(self)
        if len(tries) == 1:
            self.terminate()
        await listen(self, *args)

    monkeypatch.setattr(asyncpg.Connection, "add_listener", cut_once)
    with listener.watch("a"):
        await listening(listener)
    assert len(tries) == 2


async def test_a_database_that_does_not_answer_is_asked_again(monkeypatch, caplog):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    listener = Listener("postgresql://nobody@127.0.0.1:9/none", "perdure_test")
    with listener.watch("a") as watch:
        assert await heard(watch)
        assert await heard(watch)
    await listener.close()
    assert "cannot listen" in caplog.text
