"""A corpus of notes in a database of the test's own."""
# pyright: basic

import struct
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert

from perdure.db.search import NewEntry, Wanted, corpus, index, search, store_vectors
from perdure.db.search.entries import pending

ORGANIZATION = "org-1"


@dataclass
class Notes:
    """Notes that can be found, and shortcuts to the search."""

    db: Any
    corpus: Any

    async def add(
        self, id, text, *, scope="scope-1", series=None, space=None, year=2026, organization=ORGANIZATION
    ):
        """Store a note; it has no neighbours unless it belongs to a series."""

        def store(conn):
            conn.execute(insert(self.corpus.items).values(id=id, text=text, year=year))
            index(conn, self.corpus, organization, [NewEntry(id, scope, text, space, series or id)])

        await self.db.write(store)

    async def embed(self, vectors):
        """Give pending entries their vectors, by id."""

        def store(conn):
            for each in pending(conn, self.corpus, 10_000):
                if each.id in vectors:
                    store_vectors(conn, self.corpus, each.space, {each.number: unit(*vectors[each.id])})

        await self.db.write(store)

    async def hits(self, text, *, organization=ORGANIZATION, **options):
        return await self.db.read(search, self.corpus, Wanted(organization, text, **options))

    async def found(self, text, **options):
        return [hit.id for hit in await self.hits(text, **options)]


def unit(*numbers):
    """A vector of unit length as the contract has it."""
    length = sum(number * number for number in numbers) ** 0.5
    return struct.pack(f"<{len(numbers)}f", *(number / length for number in numbers))


@pytest.fixture
async def notes(database):
    metadata = MetaData()
    items = Table(
        "notes",
        metadata,
        Column("id", String, primary_key=True),
        Column("text", Text, nullable=False),
        Column("year", Integer, nullable=False),
    )
    notes = Notes(database, corpus(items, items.c.text))
    await database.write(metadata.create_all)
    return notes
