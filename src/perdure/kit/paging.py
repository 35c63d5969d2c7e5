"""Keyset paging: one implementation for every list of the API.

A list is ordered by (key, id); the cursor is the id of an item. The official client asks for
`after=<id of the last item>` until a page is empty, so the order must be strict and a page must
really be in it. An unknown cursor starts over: deleting while paging then still visits every row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, false, or_

Order = Literal["asc", "desc"]
MAX_LIMIT = 1000
Term = tuple[ColumnElement[Any], bool]  # an expression, and whether it descends


@dataclass(frozen=True, slots=True)
class Page:
    """What a caller asked to see of a list."""

    before: str | None = None
    after: str | None = None
    limit: int = 50
    order: Order = "desc"
    order_by: str | None = None


def page_query(*, limit: int = 50, order: Order = "desc") -> Any:
    """The FastAPI dependency that reads a page from the query, with a route's own defaults."""

    async def read_page(
        before: Annotated[
            str | None, Query(description="Id of an item; the page that comes before it.")
        ] = None,
        after: Annotated[
            str | None, Query(description="Id of an item; the page that comes after it.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = limit,
        order: Order = order,
        order_by: str | None = None,
    ) -> Page:
        return Page(before, after, limit, order, order_by)

    return Depends(read_page)


def paginate(
    conn: Connection,
    query: Select[Any],
    page: Page,
    *,
    key: ColumnElement[Any],
    id: ColumnElement[Any],
    nullable: bool = False,
) -> Sequence[Row[Any]]:
    """The rows of one page of `query`, which must not be ordered or limited yet.

    With `nullable`, rows whose key is null come last in either order. With `before` alone the
    page is the one next to the cursor; with both cursors it is the start of the window between.
    """
    descending = page.order == "desc"
    terms: list[Term] = [(key, descending), (id, descending)]
    if nullable:
        terms.insert(0, (case((key.is_(None), 1), else_=0), False))
    backward = page.before is not None and page.after is None
    if backward:
        terms = _flip(terms)
    cursors = ((page.before, terms),) if backward else ((page.after, terms), (page.before, _flip(terms)))
    for cursor, onward in cursors:
        columns = [column for column, _ in onward]
        position = cursor and conn.execute(query.with_only_columns(*columns).where(id == cursor)).first()
        if position:
            query = query.where(_beyond(onward, tuple(position)))
    ordered = query.order_by(*(c.desc() if down else c.asc() for c, down in terms)).limit(page.limit)
    rows = conn.execute(ordered).all()
    return rows[::-1] if backward else rows


def _flip(terms: list[Term]) -> list[Term]:
    return [(column, not down) for column, down in terms]


def _beyond(terms: list[Term], position: tuple[Any, ...]) -> ColumnElement[bool]:
    """The rows after `position` in the lexicographic order of `terms`."""
    (column, down), value, rest = terms[0], position[0], terms[1:]
    same = column.is_(None) if value is None else column == value
    deeper = and_(same, _beyond(rest, position[1:])) if rest else false()
    if value is None:
        return deeper
    return or_(column < value if down else column > value, deeper)
