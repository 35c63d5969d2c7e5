"""Every list of the API pages by one implementation; this is what it promises."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, create_engine, insert, select

from perdure.db.schema import Moment
from perdure.kit.paging import Page, paginate

items = Table("items", MetaData(), Column("id", String, primary_key=True), Column("at", Moment))
START = datetime(2026, 1, 1, tzinfo=UTC)
times = st.one_of(st.none(), st.integers(0, 4).map(lambda n: START + timedelta(microseconds=n)))


@contextmanager
def table_of(rows: list[tuple[str, datetime | None]]) -> Iterator[Any]:
    engine = create_engine("sqlite://")
    with engine.connect() as conn:
        items.metadata.create_all(conn)
        if rows:
            conn.execute(insert(items), [{"id": id, "at": at} for id, at in rows])
        yield conn
    engine.dispose()


def ids(conn: Any, page: Page) -> list[str]:
    found = paginate(conn, select(items), page, key=items.c.at, id=items.c.id, nullable=True)
    return [row.id for row in found]


def in_order(rows: list[tuple[str, datetime | None]], order: str) -> list[str]:
    known = sorted(((at, id) for id, at in rows if at is not None), reverse=order == "desc")
    unknown = sorted((id for id, at in rows if at is None), reverse=order == "desc")
    return [id for _, id in known] + unknown


rows_strategy = st.lists(times, max_size=12).map(
    lambda ats: [(f"item-{i:02}", at) for i, at in enumerate(ats)]
)
orders = st.sampled_from(["asc", "desc"])


@settings(max_examples=150, deadline=None)
@given(rows=rows_strategy, order=orders, limit=st.integers(1, 5))
def test_paging_forward_visits_every_row_once_in_order(rows: Any, order: Any, limit: int) -> None:
    seen: list[str] = []
    with table_of(rows) as conn:
        while page := ids(conn, Page(after=seen[-1] if seen else None, limit=limit, order=order)):
            seen += page
    assert seen == in_order(rows, order)


@settings(max_examples=150, deadline=None)
@given(rows=rows_strategy, order=orders, limit=st.integers(1, 5))
def test_paging_backward_visits_every_row_once_in_order(rows: Any, order: Any, limit: int) -> None:
    expected = in_order(rows, order)
    if not expected:
        return
    seen = [expected[-1]]
    with table_of(rows) as conn:
        while page := ids(conn, Page(before=seen[0], limit=limit, order=order)):
            seen = page + seen
    assert seen == expected


@settings(max_examples=150, deadline=None)
@given(rows=rows_strategy, order=orders, limit=st.integers(1, 20), data=st.data())
def test_both_cursors_open_a_window(rows: Any, order: Any, limit: int, data: Any) -> None:
    expected = in_order(rows, order)
    if len(expected) < 2:
        return
    low = data.draw(st.integers(0, len(expected) - 2))
    high = data.draw(st.integers(low + 1, len(expected) - 1))
    page = Page(after=expected[low], before=expected[high], limit=limit, order=order)
    with table_of(rows) as conn:
        assert ids(conn, page) == expected[low + 1 : high][:limit]


def test_an_unknown_cursor_starts_over_so_that_deleting_while_paging_visits_all() -> None:
    deleted: list[str] = []
    with table_of([(f"item-{i}", START + timedelta(seconds=i)) for i in range(7)]) as conn:
        while page := ids(conn, Page(after=deleted[-1] if deleted else None, limit=2, order="asc")):
            for id in page:
                conn.execute(items.delete().where(items.c.id == id))
                deleted.append(id)
    assert deleted == [f"item-{i}" for i in range(7)]
