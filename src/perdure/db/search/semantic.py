"""Finding by meaning: the entries whose vectors are nearest to the query's.

Of few vectors all are read. Of many, the sketches are kept in memory and say which are worth reading; these
are weighed by their whole vectors, and the filter is asked of the database. If too few pass, more are read.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from perdure.db.search.corpus import Corpus
from perdure.db.search.engine import among, aside, unhurried
from perdure.db.search.remembered import memory_of
from perdure.db.search.wanted import Wanted

if TYPE_CHECKING:
    from perdure.db.search.numbers import Sketches

FEW = 1_000  # vectors that are all read
LOADED = 20_000  # rows of sketches that are read at once
FIRST = 1_000  # vectors that are read first
KNOWN = 1_000
MOST_AT_ONCE = 20_000

Scored = list[tuple[int, float]]


def nearest(conn: Connection, corpus: Corpus, wanted: Wanted, space: str, most: int) -> Scored:
    """The numbers of the nearest entries that have vectors of a space, with their cosines.

    These are `most` or, where they are known anyway, some more.
    """
    vectors = corpus.vectors.c
    if wanted.scopes is not None and not wanted.scopes:
        return []
    scope = or_(*(condition for _, condition in _parts(corpus, wanted)))
    some = select(vectors.id).where(scope, vectors.space == space).limit(FEW + 1).subquery()
    count = conn.execute(select(func.count()).select_from(some)).scalar_one()
    if count == 0:
        return []
    if count <= FEW:
        scored = _weighed(conn, _stored(corpus, wanted).where(scope, vectors.space == space), wanted, space)
    else:
        scored = _of_many(conn, corpus, wanted, space, most)
    return sorted(scored, key=lambda item: (-item[1], -item[0]))[: max(most, KNOWN)]


def cosines(
    conn: Connection, corpus: Corpus, wanted: Wanted, space: str, numbers: Sequence[int]
) -> dict[int, float]:
    """The cosines of these entries with the query, as far as they have vectors of a space."""
    if not numbers:
        return {}
    vectors = corpus.vectors.c
    query = select(vectors.number, vectors.vector).where(
        vectors.space == space, among(conn, vectors.number, numbers)
    )
    return dict(_weighed(conn, query, wanted, space))


def _of_many(conn: Connection, corpus: Corpus, wanted: Wanted, space: str, most: int) -> Scored:
    vectors = corpus.vectors.c
    parts = [_sketches(conn, corpus, wanted, space, *part) for part in _parts(corpus, wanted)]
    query = wanted.vectors[space]
    many = sum(map(len, parts))
    distances = aside(conn, many, lambda: [part.distances(query) for part in parts])
    scored: Scored = []
    read, take = 0, max(FIRST, 4 * most)
    while read < max(map(len, parts)):
        numbers = aside(conn, many, partial(_nearest, parts, distances, read, take))
        here = among(conn, vectors.number, numbers)
        stored = _stored(corpus, wanted).where(unhurried(vectors.space) == space, here)
        scored += _weighed(conn, stored, wanted, space)
        read += take
        if len(scored) >= most:
            break
        rate = (len(scored) + 1) / read
        take = min(max(FIRST, int(1.2 * (most - len(scored)) / rate)), MOST_AT_ONCE)
    return scored


def _nearest(parts: Sequence["Sketches"], distances: Sequence[Any], skip: int, take: int) -> list[int]:
    pairs = zip(parts, distances, strict=True)
    return [number for part, far in pairs for number in part.nearest(far, skip, take)]


def _parts(corpus: Corpus, wanted: Wanted) -> list[tuple[str, ColumnElement[bool]]]:
    """What has sketches of its own: each scope, or the organization."""
    vectors = corpus.vectors.c
    if wanted.scopes is None:
        return [(wanted.organization_id, vectors.organization_id == wanted.organization_id)]
    return [(scope, vectors.scope == scope) for scope in wanted.scopes]


def _sketches(
    conn: Connection, corpus: Corpus, wanted: Wanted, space: str, key: str, condition: ColumnElement[bool]
) -> "Sketches":
    """The sketches of a scope, with all that was stored by now."""
    from perdure.db.search.numbers import Sketches  # noqa: PLC0415 - NumPy, only where there are vectors

    vectors = corpus.vectors.c
    query = select(vectors.id, vectors.number, vectors.sketch).where(condition, vectors.space == space)

    memory, named = memory_of(conn), ("sketches", corpus.items.name, wanted.organization_id, key, space)
    kept = memory.get(named, Sketches)
    while rows := conn.execute(query.where(vectors.id > kept.last).order_by(vectors.id).limit(LOADED)).all():
        kept.add(rows)
    memory.put(named, kept)
    return kept


def _in_scope(corpus: Corpus, wanted: Wanted) -> ColumnElement[bool]:
    vectors = corpus.vectors.c
    ours = unhurried(vectors.organization_id) == wanted.organization_id
    return ours if wanted.scopes is None else and_(unhurried(vectors.scope).in_(wanted.scopes), ours)


def _stored(corpus: Corpus, wanted: Wanted) -> Select[Any, Any]:
    """Numbers and vectors of what is in scope and passes."""
    entries, vectors = corpus.entries, corpus.vectors
    query = select(vectors.c.number, vectors.c.vector).where(_in_scope(corpus, wanted))
    if wanted.where is None:
        return query
    query = query.join(entries, entries.c.number == vectors.c.number)
    return query.join(corpus.items, corpus.items.c.id == entries.c.id).where(wanted.where)


def _weighed(conn: Connection, stored: Select[Any, Any], wanted: Wanted, space: str) -> Scored:
    from perdure.db.search.numbers import similarities  # noqa: PLC0415 - NumPy, only where there are vectors

    rows = conn.execute(stored).all()
    stored_vectors = [row.vector for row in rows]
    close = aside(conn, len(rows), lambda: similarities(wanted.vectors[space], stored_vectors))
    return [(row.number, cosine) for row, cosine in zip(rows, close, strict=True)]
