"""Finding by meaning: the entries whose vectors are nearest to the query's."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from perdure.db.search.corpus import Corpus
from perdure.db.search.lexical import in_scope
from perdure.db.search.wanted import Wanted


def nearest(
    conn: Connection, corpus: Corpus, wanted: Wanted, space: str, most: int, beside: Collection[int] = ()
) -> dict[int, float]:
    """The cosines of the `most` nearest entries with vectors of a space, and of those in `beside`."""
    from perdure.db.search.numbers import similarities  # noqa: PLC0415 - NumPy, only where there are vectors

    entries, vectors = corpus.entries.c, corpus.vectors.c
    query = (
        select(entries.number, vectors.vector)
        .join(corpus.vectors, vectors.number == entries.number)
        .where(vectors.space == space, *in_scope(corpus, wanted))
    )
    if wanted.where is not None:
        query = query.join(corpus.items, corpus.items.c.id == entries.id).where(wanted.where)
    rows = conn.execute(query).all()
    close = similarities(wanted.vectors[space], [row.vector for row in rows])
    scored = [(row.number, cosine) for row, cosine in zip(rows, close, strict=True)]
    best = sorted(scored, key=lambda item: (-item[1], -item[0]))
    return dict(best[:most]) | {number: cosine for number, cosine in best[most:] if number in beside}
