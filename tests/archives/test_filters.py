"""Filters let through what fits and nothing else, in lists as in searches; pages fit together."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import and_

from perdure.archives import store as archives
from perdure.archives.insert import insert
from perdure.db import Database
from perdure.db.search import Wanted
from perdure.kit.paging import Page
from perdure.passages import store
from perdure.passages.search import search
from perdure.passages.store import NewPassage, PassageFilter, PassageRow
from perdure.tenancy.actor import Actor
from perdure.tenancy.store import create_organization

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("apple", "berry", "cherry")
TAGS = ("a", "b", "c")
DAYS = 4


def passage(number: int) -> NewPassage:
    """Every mixture of words, tags and days, more or less."""
    words = [word for bit, word in enumerate(WORDS) if number >> bit & 1]
    tags = [tag for bit, tag in enumerate(TAGS) if number >> (bit + 3) & 1]
    return NewPassage(" ".join([f"n{number}", *words]), tags, {}, BEGIN + timedelta(days=number % DAYS))


@pytest.fixture(scope="module")
async def kept(shared_database: Database) -> Any:
    """An organization's archive and what is in it."""

    def work(conn: Any) -> tuple[Actor, list[PassageRow]]:
        actor = Actor(create_organization(conn).id)
        archive = archives.create(conn, actor, {"name": "fruit"})
        other = archives.create(conn, actor, {"name": "other"})
        insert(conn, actor, other.id, [passage(63)])
        return actor, insert(conn, actor, archive.id, [passage(number) for number in range(64)])

    return await shared_database.write(work)


FILTERS = st.builds(
    PassageFilter,
    text=st.sampled_from([None, "apple", "RRY", "n1"]),
    tags=st.lists(st.sampled_from([*TAGS, "none"]), max_size=3),
    match_all_tags=st.booleans(),
    start=st.sampled_from([None, *(BEGIN + timedelta(days=day) for day in range(DAYS))]),
    end=st.sampled_from([None, *(BEGIN + timedelta(days=day) for day in range(DAYS))]),
)


def passes(row: PassageRow, wanted: PassageFilter) -> bool:
    """The filter, said once more."""
    together = all if wanted.match_all_tags else any
    return (
        (not wanted.text or wanted.text.lower() in row.text)
        and (not wanted.tags or together(tag in row.tags for tag in wanted.tags))
        and (wanted.start is None or row.created_at >= wanted.start)
        and (wanted.end is None or row.created_at <= wanted.end)
    )


def within(wanted: PassageFilter, archive_id: str | None) -> PassageFilter:
    """The filter, in one archive."""
    given_ = {name: getattr(wanted, name) for name in PassageFilter.__slots__}
    return PassageFilter(**{**given_, "archive_ids": [archive_id]})


@settings(max_examples=40, deadline=None)
@given(wanted=FILTERS, order=st.sampled_from(["asc", "desc"]), limit=st.integers(1, 30))
async def test_pages_show_all_that_fits_once_and_in_order(
    shared_database: Database, kept: Any, wanted: PassageFilter, order: Any, limit: int
) -> None:
    actor, rows = kept
    wanted = within(wanted, rows[0].archive_id)
    seen: list[PassageRow] = []
    page = Page(limit=limit, order=order)
    while found := await shared_database.read(store.list_, actor, page, wanted):
        seen += found
        page = Page(after=seen[-1].id, limit=limit, order=order)
    fitting = sorted(
        (row for row in rows if passes(row, wanted)),
        key=lambda row: (row.created_at, row.id),
        reverse=order == "desc",
    )
    assert [row.id for row in seen] == [row.id for row in fitting]
    assert await shared_database.read(store.count, actor, wanted) == len(fitting)


@settings(max_examples=40, deadline=None)
@given(
    wanted=FILTERS, asked=st.lists(st.sampled_from(WORDS), min_size=1, unique=True), limit=st.integers(1, 30)
)
async def test_a_search_finds_all_that_fits_and_shorter_ones_are_its_beginning(
    shared_database: Database, kept: Any, wanted: PassageFilter, asked: list[str], limit: int
) -> None:
    actor, rows = kept
    conditions = wanted.conditions()

    async def found(most: int) -> list[str]:
        where = and_(*conditions) if conditions else None
        query = Wanted(
            actor.organization_id, " ".join(asked), [str(rows[0].archive_id)], where, mode="fts", limit=most
        )
        return [each.passage.id for each in await shared_database.read(search, actor, query)]

    whole = await found(1000)
    fitting = {row.id for row in rows if passes(row, wanted) and set(asked) & set(row.text.split())}
    assert fitting <= set(whole)
    assert set(whole) <= {row.id for row in rows if passes(row, wanted)}
    assert len(whole) == len(set(whole))
    assert await found(limit) == whole[:limit]
