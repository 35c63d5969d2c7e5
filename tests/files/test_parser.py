"""Reading in the background: taken up again after a kill, taken over from others, given up, never doubled."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from perdure.db.clock import seconds_from_now
from perdure.documents.read import Documents
from perdure.files import folders, queue, store
from perdure.files.parser import Parser
from perdure.files.queue import Holder
from perdure.files.settings import FileSettings
from perdure.files.store import new_file
from perdure.files.tables import file_pieces, files
from perdure.passages.tables import passages
from perdure.tenancy.actor import Actor

ACTOR = Actor()
TEXT = "\n\n".join(f"Paragraph {n} of a long story about a harbour in winter." for n in range(400))


class NoVectors:
    """Passages are found by their words only."""

    def wake(self) -> None: ...

    async def space(self, _actor: Any, _handle: Any) -> None:
        return None


def parser(database: Any, owner: str = "a:1", **settings: Any) -> Parser:
    return Parser(database, Holder(owner, 30.0), FileSettings(**settings), NoVectors())


@pytest.fixture
async def folder_id(database) -> str:
    values = {"name": "f", "description": None, "instructions": None, "metadata": {}, "embedding": None}
    return (await database.write(folders.create, ACTOR, {**values, "chunk_size": 50})).id


async def uploaded(database: Any, folder_id: str, text: str = TEXT, name: str = "story.txt") -> str:
    file = new_file(ACTOR, folder_id, name, "text/plain", None)
    for number, start in enumerate(range(0, len(text), 5000)):
        await database.write(store.add_piece, file.id, number, text[start : start + 5000].encode())
    return (await database.write(store.add, ACTOR, file, "suffix")).file.id


async def row_of(database: Any, file_id: str) -> Any:
    return await database.read(store.get, ACTOR, file_id)


async def until(database: Any, file_id: str, *statuses: str) -> Any:
    async with asyncio.timeout(20):
        while (row := await row_of(database, file_id)).status not in statuses:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return row


def lines_kept(conn: Any, file_id: str) -> list[int]:
    query = select(passages.c.metadata).where(passages.c.file_id == file_id)
    spans = sorted((row.metadata["first_line"], row.metadata["last_line"]) for row in conn.execute(query))
    return [line for first, last in spans for line in range(first, last + 1)]


async def check_whole(database: Any, file_id: str) -> None:
    """All of it is there once, and the upload is let go."""
    assert await database.read(store.text_of, file_id) == TEXT
    found = await database.read(lines_kept, file_id)
    assert found == sorted(set(found))
    assert {line for line in range(1, 800) if line % 2} <= set(found)
    assert await database.read(store.content_of, file_id) == b""


class Killed:
    """A database whose server is killed before it stores the n-th batch of passages."""

    def __init__(self, database: Any, batches: int):
        self.database, self.left, self.dead = database, batches, asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if work.__name__ == "_add":
            if not self.left:
                self.dead.set()
                await asyncio.Event().wait()
            self.left -= 1
        return await self.database.write(work, *args, **kwargs)


@pytest.mark.parametrize("batches", [0, 1, 2])
async def test_a_file_that_was_being_read_at_a_kill_is_read_by_the_next_life(
    database, folder_id, batches
) -> None:
    file_id = await uploaded(database, folder_id)
    dying = Killed(database, batches)
    killed = parser(dying, "me:1")
    await killed.start()
    await asyncio.wait_for(dying.dead.wait(), 10)
    for task in killed._tasks:
        task.cancel()
    await asyncio.gather(*killed._tasks, return_exceptions=True)
    assert (await row_of(database, file_id)).status == "parsing"
    heir = parser(database, "me:2")
    await heir.start()
    assert (await until(database, file_id, "completed", "error")).tries == 2
    await heir.close()
    await check_whole(database, file_id)


async def test_a_file_of_a_server_that_died_is_taken_over_when_its_lease_is_over(database, folder_id) -> None:
    file_id = await uploaded(database, folder_id)
    dead, living = Holder("dead:1", 30.0), parser(database, "living:1")
    assert (await database.write(queue.claim, dead)).id == file_id
    await living.start()
    await asyncio.sleep(0.1)
    assert (await row_of(database, file_id)).lease_owner == "dead:1"
    await database.write(
        lambda conn: conn.execute(update(files).values(lease_expires=seconds_from_now("s")), {"s": -1.0})
    )
    living.wake()
    await until(database, file_id, "completed")
    with pytest.raises(queue.FileLost):
        await database.write(queue.save_text, dead, file_id, "stale")
    await living.close()
    await check_whole(database, file_id)


async def test_two_servers_read_each_file_once(database, folder_id) -> None:
    ids = [await uploaded(database, folder_id, name=f"{n}.txt") for n in range(4)]
    servers = [parser(database, f"{n}:1") for n in range(2)]
    for each in servers:
        await each.start()
    for file_id in ids:
        assert (await until(database, file_id, "completed")).tries == 1
        await check_whole(database, file_id)
    for each in servers:
        await each.close()


async def test_a_file_that_ends_the_server_each_time_is_given_up(database, folder_id) -> None:
    file_id = await uploaded(database, folder_id)
    for n in range(2):
        await database.write(queue.claim, Holder(f"me:{n}", 30.0))
        await database.write(queue.release_earlier, Holder("me:x", 30.0), "me:")
    last = parser(database, "me:last", tries=2)
    await last.start()
    row = await until(database, file_id, "error")
    assert row.error_message == "It could not be read: the server ended 2 times in the middle of it."
    await last.close()


async def test_an_orderly_stop_counts_as_no_try(database, folder_id, monkeypatch) -> None:
    async def slow(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(Documents, "read", slow)
    file_id = await uploaded(database, folder_id)
    server = parser(database)
    await server.start()
    await until(database, file_id, "parsing")
    await server.close()
    row = await row_of(database, file_id)
    assert (row.tries, row.lease_owner) == (0, None)


async def test_a_file_deleted_while_it_is_read_leaves_nothing(database, folder_id, monkeypatch) -> None:
    file_id = await uploaded(database, folder_id)
    gate, waiting = asyncio.Event(), asyncio.Event()
    real = Documents.read

    async def slow(self: Any, *args: Any) -> Any:
        waiting.set()
        await gate.wait()
        return await real(self, *args)

    monkeypatch.setattr(Documents, "read", slow)
    server = parser(database)
    await server.start()
    await waiting.wait()
    await database.write(store.remove, ACTOR, folder_id, file_id)
    gate.set()
    other = await uploaded(database, folder_id)
    server.wake()
    await until(database, other, "completed")
    await server.close()
    assert await database.read(lines_kept, file_id) == []


async def test_a_text_that_is_too_long_is_refused(database, folder_id) -> None:
    file_id = await uploaded(database, folder_id)
    server = parser(database, max_characters=1000)
    await server.start()
    row = await until(database, file_id, "error")
    assert "more than 1000 characters" in row.error_message
    await server.close()


async def test_uploads_that_never_ended_are_let_go(database, folder_id) -> None:
    from datetime import timedelta

    file_id = await uploaded(database, folder_id)
    await database.write(store.add_piece, "file-lost", 0, b"x")
    await database.write(store.remove_lost_pieces, timedelta(hours=1))
    count = lambda conn: sorted(set(conn.execute(select(file_pieces.c.file_id)).scalars()))  # noqa: E731
    assert await database.read(count) == sorted({file_id, "file-lost"})
    await database.write(store.remove_lost_pieces, timedelta(seconds=-1))
    assert await database.read(count) == [file_id]


async def test_a_folder_that_is_deleted_meanwhile_ends_the_reading(database, folder_id) -> None:
    await uploaded(database, folder_id)
    server = parser(database)
    file = await database.write(queue.claim, server._holder)
    text = server._text

    async def deleted_then(row: Any) -> str:
        read = await text(row)
        await database.write(folders.remove, ACTOR, folder_id)
        return read

    server._text = deleted_then  # type: ignore[method-assign]
    await server._read(file)


async def test_a_file_of_nobody_is_read(database, folder_id) -> None:
    file_id = await uploaded(database, folder_id)
    await database.write(lambda conn: conn.execute(update(files).values(created_by_id=None)))
    server = parser(database)
    await server.start()
    assert (await until(database, file_id, "completed", "error")).status == "completed"
    await server.close()
