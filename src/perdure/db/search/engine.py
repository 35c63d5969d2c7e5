"""What two databases say differently of a corpus: what has words, and what is in a list of numbers."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Subquery,
    Text,
    any_,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.util import await_only

from perdure.db.search.corpus import Corpus

R = TypeVar("R")
QUICK = 50  # things that are dealt with in less time than another thread takes to begin
LOCK = 726_355  # any number that no other program uses for locks of the same database


def having(
    conn: Connection, corpus: Corpus, marks: Sequence[str], words: Sequence[str]
) -> Select[*tuple[int]]:
    """The numbers of entries with any of the marks and any of the words, the newest first."""
    if conn.dialect.name == "sqlite":
        index = table(corpus.index, column("rowid", Integer))
        looked_for = text(f"{corpus.index} MATCH :looked_for").bindparams(
            looked_for=f"{_any(marks)} AND {_any(words)}"
        )
        return select(index.c.rowid.label("number")).where(looked_for).order_by(index.c.rowid.desc())
    entries = corpus.entries.c
    found = func.string_to_array(entries.lexemes, literal_column("' '"))  # as in the index
    texts = ARRAY(Text)
    # Kept apart from any order and limit, which would have the whole table read for them.
    brought = (
        select(entries.number)
        .where(found.op("&&")(literal(list(marks), texts)), found.op("&&")(literal(list(words), texts)))
        .cte("brought", nesting=True)
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return select(brought.c.number).order_by(brought.c.number.desc())


def aside(conn: Connection, things: int, work: Callable[[], R]) -> R:
    """Compute something of so many things without holding others up.

    On Postgres all units of work share the event loop's thread; on SQLite each has one of its own.
    """
    if conn.dialect.name == "sqlite" or things <= QUICK:
        return work()
    return await_only(asyncio.to_thread(work))


def one_by_one(conn: Connection, corpus: Corpus) -> None:
    """Let others who store vectors wait until this transaction ends, so that ids are committed in order.

    Who has read up to an id looks behind it only; SQLite has one writer anyway.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(select(func.pg_advisory_xact_lock(LOCK, func.hashtext(corpus.vectors.name))))


def _any(words: Sequence[str]) -> str:
    return "(" + " OR ".join(f'"{word}"' for word in words) + ")"


def among(conn: Connection, number: ColumnElement[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether a number is one of many, as one parameter."""
    if conn.dialect.name == "sqlite":
        values = func.json_each(orjson.dumps(numbers).decode()).table_valued(column("value", Integer))
        return number.in_(select(values.c.value))
    return number == any_(literal(list(numbers), ARRAY(BigInteger)))


def places(conn: Connection, wanted: Sequence[tuple[str, int]]) -> Subquery:
    """Positions of series as rows to join with."""
    if conn.dialect.name == "sqlite":
        pairs = func.json_each(orjson.dumps(wanted).decode()).table_valued(column("value"))
        series, position = (func.json_extract(pairs.c.value, f"$[{at}]") for at in (0, 1))
        return select(series.label("series"), position.label("position")).subquery()
    series, positions = zip(*wanted, strict=True)
    unnested = func.unnest(literal(list(series), ARRAY(Text)), literal(list(positions), ARRAY(BigInteger)))
    pairs = unnested.table_valued(column("series", Text), column("position", BigInteger)).render_derived()
    return select(pairs.c.series, pairs.c.position).subquery()


def unhurried(column: ColumnElement[str]) -> ColumnElement[str]:
    """A column whose index is of no use: a better one is at hand, which SQLite would overlook."""
    return column.concat("")
