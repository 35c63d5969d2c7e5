"""Entering much at once."""
# pyright: basic

import asyncio
import time

from sqlalchemy import insert
from tests.db.search.conftest import ORGANIZATION

from perdure.db.search import NewEntry, index


async def test_long_texts_keep_nobody_waiting(notes):
    texts = {f"n{number}": " ".join(f"{number}word-{at}" for at in range(3000)) for number in range(60)}

    def enter(conn):
        rows = [{"id": id, "text": text[:99], "year": 1} for id, text in texts.items()]
        conn.execute(insert(notes.corpus.items), rows)
        index(conn, notes.corpus, ORGANIZATION, [NewEntry(id, "s", text) for id, text in texts.items()])

    pauses, before = [], time.monotonic()

    async def tick():
        last = before
        while True:
            await asyncio.sleep(0.005)
            pauses.append(time.monotonic() - last)
            last = time.monotonic()

    ticking = asyncio.create_task(tick())
    await notes.db.write(enter)
    ticking.cancel()
    assert max(pauses) < 0.4 * (time.monotonic() - before)
    assert (await notes.found("59word-2999"))[0] == "n59"
