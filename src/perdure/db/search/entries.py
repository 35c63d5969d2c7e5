"""What can be found: entering, embedding and leaving, in the transactions of the items."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection, String, bindparam, delete, func, insert, select, tuple_, update

from perdure.db.prepared import Prepared
from perdure.db.search.corpus import Corpus
from perdure.db.search.engine import aside, one_by_one
from perdure.db.search.lexemes import lexemes

MARK = "\u00a7"  # no lexeme of a text begins so
A_THING = 250  # characters: with their lexemes they count as one in `aside`
MARKS = 2  # lexemes of an entry before those of its text


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An item to be found by its text within a scope; without a `space` by its words only.

    Items of a `series` (null: of the scope) are each other's neighbours in the order of their entering,
    such as the messages of a thread or the pieces of a file.
    """

    id: str
    scope: str
    text: str
    space: str | None = None
    series: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that waits for its vector of a space, and its text."""

    number: int
    id: str
    organization_id: str
    space: str
    text: str


def index(conn: Connection, corpus: Corpus, organization_id: str, entries: Sequence[NewEntry]) -> None:
    """Enter new items in the transaction that stores them; with its end their words are found."""
    if len(entries) == 1:
        _insert_last(corpus).later(conn, _values(organization_id, entries[0]))
        return
    ends = _ends(conn, corpus, {_series(entry) for entry in entries})
    long = sum(len(entry.text) for entry in entries) // A_THING
    _insert(corpus).run_all(conn, aside(conn, long, lambda: _rows(organization_id, entries, ends)))


def reindex(conn: Connection, corpus: Corpus, organization_id: str, entries: Sequence[NewEntry]) -> None:
    """Enter items anew whose text, scope or space have changed, or that may not be entered yet.

    They keep their places in their series.
    """
    ids, table = [entry.id for entry in entries], corpus.entries.c
    query = select(table.id, table.series, table.position).where(table.id.in_(ids))
    places = {(id, series): position for id, series, position in conn.execute(query)}
    leave(conn, corpus, ids)
    for entry in entries:
        position = places.get((entry.id, _series(entry)))
        if position is None:
            index(conn, corpus, organization_id, [entry])
        else:
            _insert(corpus).run(conn, _values(organization_id, entry) | {"position": position})


def leave(conn: Connection, corpus: Corpus, ids: Sequence[str]) -> None:
    """Let items be found no more; those that are deleted leave by themselves."""
    conn.execute(delete(corpus.entries).where(corpus.entries.c.id.in_(ids)))


def respace(conn: Connection, corpus: Corpus, scopes: Sequence[str], space: str | None) -> None:
    """Ask for vectors of another space; those that are there go on serving until they are replaced."""
    conn.execute(update(corpus.entries).where(corpus.entries.c.scope.in_(scopes)).values(space=space))
    if space is None:
        conn.execute(delete(corpus.vectors).where(corpus.vectors.c.scope.in_(scopes)))
        conn.execute(update(corpus.entries).where(corpus.entries.c.scope.in_(scopes)).values(embedded=None))


def pending(
    conn: Connection, corpus: Corpus, limit: int, without: Collection[tuple[str, str]] = ()
) -> list[Pending]:
    """Entries that wait for a vector, oldest first; leaves out some organizations' spaces."""
    entries = corpus.entries.c
    waiting = (entries.space.is_not(None)) & (
        entries.embedded.is_(None) | (entries.embedded != entries.space)
    )
    query = (
        select(entries.number, entries.id, entries.organization_id, entries.space, corpus.text)
        .join(corpus.items, corpus.items.c.id == entries.id)
        .where(waiting)
        .order_by(entries.number)
        .limit(limit)
    )
    if without:
        query = query.where(tuple_(entries.organization_id, entries.space).not_in(list(without)))
    return [Pending(*row) for row in conn.execute(query)]


def spaces(conn: Connection, corpus: Corpus, organization_id: str, scopes: Sequence[str] | None) -> list[str]:
    """The spaces that entries of these scopes (null: of the organization) have vectors in.

    One step of the index for each, however many vectors there are.
    """
    vectors = corpus.vectors.c
    mine = vectors.organization_id == organization_id
    places = [mine] if scopes is None else [mine & (vectors.scope == scope) for scope in scopes]
    found: set[str] = set()
    for place in places:
        further = select(vectors.space).where(place, vectors.space > bindparam("after"))
        further = further.order_by(vectors.space).limit(1)
        space: str | None = ""
        while (space := conn.execute(further, {"after": space}).scalar()) is not None:
            found.add(space)
    return sorted(found)


def store_vectors(
    conn: Connection, corpus: Corpus, space: str, vectors: Mapping[int, bytes | memoryview]
) -> None:
    """Store vectors by the numbers of their entries: unit length, little-endian float32.

    Entries that are gone or want another space by now are left out.
    """
    from perdure.db.search.numbers import halved, sketched  # noqa: PLC0415 - NumPy, only for vectors

    entries = corpus.entries.c
    wanted = select(entries.number, entries.organization_id, entries.scope).where(
        entries.number.in_(list(vectors)), entries.space == space
    )
    rows = [
        {
            "number": number,
            "organization_id": organization_id,
            "scope": scope,
            "space": space,
            "sketch": sketched(vectors[number]),
            "vector": halved(vectors[number]),
        }
        for number, organization_id, scope in conn.execute(wanted.with_for_update(key_share=True))
    ]
    if not rows:
        return
    numbers = [row["number"] for row in rows]
    one_by_one(conn, corpus)
    conn.execute(delete(corpus.vectors).where(corpus.vectors.c.number.in_(numbers)))
    conn.execute(insert(corpus.vectors), rows)
    conn.execute(_embedded(corpus), [{"of": number, "embedded": space} for number in numbers])


def beside(conn: Connection, corpus: Corpus, ids: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """What stands right before and right after each of these in its series."""
    own, other = corpus.entries.c, corpus.entries.alias("other").c
    steps = other.position - own.position
    query = select(own.id, other.id, steps).where(
        own.id.in_(ids), other.series == own.series, other.position.in_([own.position - 1, own.position + 1])
    )
    found = {(id, step): neighbour for id, neighbour, step in conn.execute(query)} if ids else {}
    return {id: (found.get((id, -1)), found.get((id, 1))) for id in ids}


@lru_cache(1000)
def mark(scope: str) -> str:
    """The lexeme of a scope or an organization."""
    return MARK + hashlib.blake2b(scope.encode(), digest_size=8).hexdigest()


def _values(organization_id: str, entry: NewEntry) -> dict[str, Any]:
    words = lexemes(entry.text)
    return {
        "id": entry.id,
        "organization_id": organization_id,
        "scope": entry.scope,
        "series": _series(entry),
        "lexemes": " ".join((mark(organization_id), mark(entry.scope), *words)),
        "length": len(words),
        "space": entry.space,
    }


def _rows(organization_id: str, entries: Sequence[NewEntry], ends: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rows of new entries, behind the last positions of their series."""
    last, rows = dict(ends), list[dict[str, Any]]()
    for entry in entries:
        last[_series(entry)] += 1
        rows.append(_values(organization_id, entry) | {"position": last[_series(entry)]})
    return rows


def _series(entry: NewEntry) -> str:
    return entry.series or entry.scope


def _ends(conn: Connection, corpus: Corpus, series: set[str]) -> dict[str, int]:
    """The last positions of series; 0 of those that are empty."""
    entries = corpus.entries.c
    query = select(entries.series, func.max(entries.position).label("last")).where(entries.series.in_(series))
    return dict.fromkeys(series, 0) | {
        row.series: row.last for row in conn.execute(query.group_by(entries.series))
    }


@cache
def _insert(corpus: Corpus) -> Prepared:
    return Prepared(insert(corpus.entries).inline())


@cache
def _insert_last(corpus: Corpus) -> Prepared:
    """Inserts one at the end of its series; two that come at once may share a place, which harms little."""
    entries = corpus.entries.alias("before").c
    last = select(func.coalesce(func.max(entries.position), 0) + 1).where(
        entries.series == bindparam("series", type_=String)
    )
    names = ("id", "organization_id", "scope", "series", "lexemes", "length", "space")
    values = {name: bindparam(name, type_=corpus.entries.c[name].type) for name in names}
    return Prepared(insert(corpus.entries).inline().values(position=last.scalar_subquery(), **values))


@cache
def _embedded(corpus: Corpus) -> Any:
    entries = corpus.entries
    return update(entries).where(entries.c.number == bindparam("of")).values(embedded=bindparam("embedded"))
