"""Statements of the hot path: declared once with SQLAlchemy, compiled once, run by the driver itself.

Finding, binding and wrapping a statement costs SQLAlchemy more than most of ours cost the database: a
row by its key takes 14 µs on SQLite, here 3. What runs once for every message is worth that; all else
uses `Connection.execute`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Dialect, Insert, SelectBase, UpdateBase
from sqlalchemy.exc import DBAPIError

P = ParamSpec("P")
R = TypeVar("R")
Values = Mapping[str, Any]
Converter = Callable[[Any], Any]

WAITING = "writes that wait"
MOST_WAITING = 30
DIVISION_BY_ZERO = "22012"
PLACE = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in the words of one driver."""

    text: str
    fixed: Values  # parameters that the statement itself brings
    order: tuple[str, ...]  # the parameters' names in their places
    bound: tuple[tuple[int, Converter], ...]  # what a place of the parameters has to go through
    found: tuple[tuple[int, Converter], ...]  # the same for a row's columns

    def parameters(self, values: Values) -> Sequence[Any]:
        """The values in the statement's order, as the driver takes them."""
        known = {**self.fixed, **values} if self.fixed else values
        return _converted([known[name] for name in self.order], self.bound)

    def row(self, found: Sequence[Any]) -> Sequence[Any]:
        """A row of the driver as SQLAlchemy's types would give it."""
        return _converted(found, self.found)


class Prepared:
    """A statement and its compiled forms.

    An insert or update without values takes its columns from those that it is given first, and always
    the same. Rows are plain sequences in the order of the selected columns. Lists (`IN`) are not expanded.
    """

    def __init__(self, statement: SelectBase | UpdateBase):
        self.statement = statement
        self._compiled: dict[tuple[str, ...], Compiled] = {}

    def all(self, conn: Connection, values: Values) -> list[Sequence[Any]]:
        """All rows."""
        settle(conn)
        compiled = self.compiled(conn, values)
        cursor = execute(conn, compiled.text, compiled.parameters(values))
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        cursor.close()
        return [compiled.row(row) for row in rows] if compiled.found else list(rows)

    def first(self, conn: Connection, values: Values) -> Sequence[Any] | None:
        """The first row, if any."""
        rows = self.all(conn, values)
        return rows[0] if rows else None

    def run(self, conn: Connection, values: Values) -> int:
        """Execute; how many rows it changed."""
        settle(conn)
        compiled = self.compiled(conn, values)
        cursor = execute(conn, compiled.text, compiled.parameters(values))
        changed: int = cursor.rowcount
        cursor.close()
        return changed

    def later(self, conn: Connection, values: Values, or_else: Exception | None = None) -> None:
        """Execute before anything else is asked of the database, and before the transaction ends.

        Across a connection, what waits goes in one round trip. Where no row is changed, `or_else` is raised
        then, which undoes all that goes with it.
        """
        waiting: Waiting | None = conn.info.get(WAITING)
        if waiting is None:
            if self.run(conn, values) == 0 and or_else:
                raise or_else
            return
        writes = waiting.writes
        if writes and (or_else or len(writes) == MOST_WAITING or any(map(self._meets, writes))):
            settle(conn)
        writes.append(Write(self, values, or_else))

    def _meets(self, other: "Write") -> bool:
        """Whether both may touch one row: in one statement neither would see what the other does."""
        mine, theirs = self.statement, other.prepared.statement
        both_add = isinstance(mine, Insert) and isinstance(theirs, Insert)
        return not both_add and getattr(mine, "table", None) is getattr(theirs, "table", None)

    def run_all(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Execute for each of these."""
        settle(conn)
        if rows:
            compiled = self.compiled(conn, rows[0])
            execute(conn, compiled.text, [compiled.parameters(row) for row in rows], many=True).close()

    def compiled(self, conn: Connection, values: Values) -> Compiled:
        """The statement for this connection's driver."""
        key = (conn.dialect.name, *values)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self.statement, conn.dialect, list(values))
        return compiled


@dataclass(frozen=True, slots=True)
class Write:
    """One that waits. Only the first of those that go together may have an `or_else`."""

    prepared: Prepared
    values: Values
    or_else: Exception | None = None


@dataclass(slots=True)
class Waiting:
    """What waits in a transaction, and whether the transaction has begun, by asking something."""

    writes: list[Write] = field(default_factory=list[Write])
    begun: bool = False


def together(
    conn: Connection, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Run a unit of work on Postgres whose writes may wait for each other."""
    conn.info[WAITING] = Waiting()
    try:
        result = work(conn, *args, **kwargs)
        settle(conn, last=True)
        return result
    finally:
        if not conn.invalidated:
            del conn.info[WAITING]


def settle(conn: Connection, *, last: bool = False) -> None:
    """Execute the writes that wait, as one statement.

    Where it is all that a unit of work asks, it is a transaction by itself and needs no other. Should the
    connection break then, it may be tried again: what was stored after all clashes with its own keys.
    """
    waiting: Waiting | None = conn.info.get(WAITING)
    if waiting is None:
        return
    writes, alone = waiting.writes[:], last and not waiting.begun
    waiting.writes.clear()
    waiting.begun = True
    if not writes:
        return
    compiled = [(write.prepared.compiled(conn, write.values), write.values) for write in writes]
    texts = tuple((each.text, len(each.order)) for each, _ in compiled)
    parameters = [value for each, values in compiled for value in each.parameters(values)]
    or_else = writes[0].or_else
    raw: Any = conn.connection.dbapi_connection
    if alone:
        raw.autocommit = True
    try:
        execute(conn, _joined(texts, checked=or_else is not None), parameters).close()
    except DBAPIError as error:
        if or_else and getattr(error.orig, "sqlstate", None) == DIVISION_BY_ZERO:
            raise or_else from None
        raise
    finally:
        if alone:
            raw.autocommit = False


@lru_cache(500)
def _joined(writes: tuple[tuple[str, int], ...], *, checked: bool) -> str:
    """Postgres's statement of several writes, their parameters numbered through.

    Where `checked`, it fails by a division by zero when the first of them changes no row.
    """
    texts: list[str] = []
    before = 0
    for text, count in writes:
        texts.append(PLACE.sub(lambda place, before=before: f"${int(place[1]) + before}", text))
        before += count
    if checked:
        texts[0] += " RETURNING 1"
        texts.append("SELECT 1 / count(*) FROM write_0")
    *first, last = texts
    named = ", ".join(f"write_{number} AS ({text})" for number, text in enumerate(first))
    return f"WITH {named} {last}" if first else last


def _compile(statement: SelectBase | UpdateBase, dialect: Dialect, names: list[str]) -> Compiled:
    keys = None if isinstance(statement, SelectBase) else names
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    order = compiled.positiontup or []
    converters = (compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in order)
    selected = statement.selected_columns if isinstance(statement, SelectBase) else ()
    results = (column.type.dialect_impl(dialect).result_processor(dialect, None) for column in selected)
    return Compiled(
        text=compiled.string,
        fixed={name: value for name, value in compiled.params.items() if name in order and name not in names},
        order=tuple(order),
        bound=_present(converters),
        found=_present(results),
    )


def _present(converters: Any) -> tuple[tuple[int, Converter], ...]:
    return tuple((place, each) for place, each in enumerate(converters) if each)


def _converted(values: Sequence[Any], converters: tuple[tuple[int, Converter], ...]) -> Sequence[Any]:
    if not converters:
        return values
    made = list(values)
    for place, convert in converters:
        made[place] = convert(made[place])
    return made


def execute(conn: Connection, text: str, parameters: Any = (), *, many: bool = False) -> Any:
    """Run by the driver; its errors are raised as SQLAlchemy's, and a lost connection is given up."""
    cursor: Any = conn.connection.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, parameters)
    except conn.dialect.loaded_dbapi.Error as error:
        lost = conn.dialect.is_disconnect(error, conn.connection.dbapi_connection, cursor)
        if lost:
            conn.invalidate(error)
        kind = conn.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(text, parameters, error, kind, connection_invalidated=lost) from error
    except BaseException as broken_off:
        # Cancelled in mid-way: the driver does not know whether its server has begun a transaction.
        if not isinstance(broken_off, Exception):
            conn.invalidate(broken_off)
        raise
    return cursor
