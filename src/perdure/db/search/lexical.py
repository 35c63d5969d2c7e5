"""Finding by words: the engine's index brings what has any of them, BM25 ranks."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    Text,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    true,
)

from perdure.db.search.bm25 import Statistics, score
from perdure.db.search.corpus import Corpus
from perdure.db.search.entries import mark
from perdure.db.search.lexemes import query_lexemes
from perdure.db.search.wanted import Wanted

MOST_WORDS = 64
Columns = tuple[Any, ...]


def lexical(conn: Connection, corpus: Corpus, wanted: Wanted, most: int) -> list[tuple[int, float]]:
    """The numbers of the best entries with any of the words, with their scores."""
    words = query_lexemes(wanted.text)[:MOST_WORDS]
    if not words or (wanted.scopes is not None and not wanted.scopes):
        return []
    rows = conn.execute(_candidates(corpus, wanted, words, conn.dialect.name)).all()
    split = [(row.number, row.lexemes.split(" "), row.length, row.passes) for row in rows]
    statistics = _statistics(conn, corpus, wanted, words, [found for _, found, _, _ in split])
    scored = [
        (number, score(statistics, words, found, length)) for number, found, length, passes in split if passes
    ]
    return sorted(scored, key=lambda item: (-item[1], -item[0]))[:most]


def in_scope(corpus: Corpus, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Conditions on entries: of the organization, and of the scopes if there are such."""
    entries = corpus.entries.c
    conditions: list[ColumnElement[bool]] = [entries.organization_id == wanted.organization_id]
    if wanted.scopes is not None:
        conditions.append(entries.scope.in_(wanted.scopes))
    return conditions


def _candidates(corpus: Corpus, wanted: Wanted, words: Sequence[str], dialect: str) -> Select[*Columns]:
    entries = corpus.entries.c
    passes = true() if wanted.where is None else wanted.where
    query = (
        select(entries.number, entries.lexemes, entries.length, passes.label("passes"))
        .join(corpus.items, corpus.items.c.id == entries.id)
        .where(*in_scope(corpus, wanted))
    )
    marks = [mark(scope) for scope in wanted.scopes or (wanted.organization_id,)]
    if dialect == "sqlite":
        index = table(corpus.index, column("rowid"))
        looked_for = f"{_any(marks)} AND {_any(words)}"
        return query.join(index, index.c.rowid == entries.number).where(
            text(f"{corpus.index} MATCH :looked_for").bindparams(looked_for=looked_for)
        )
    found = func.string_to_array(entries.lexemes, literal_column("' '"))  # as in the index
    array = ARRAY(Text)
    return query.where(found.op("&&")(literal(marks, array)), found.op("&&")(literal(words, array)))


def _any(words: Sequence[str]) -> str:
    return "(" + " OR ".join(f'"{word}"' for word in words) + ")"


def _statistics(
    conn: Connection, corpus: Corpus, wanted: Wanted, words: Sequence[str], found: Sequence[Sequence[str]]
) -> Statistics:
    entries = corpus.entries.c
    query = select(func.count(), func.coalesce(func.sum(entries.length), 0)).where(*in_scope(corpus, wanted))
    texts, length = conn.execute(query).one()
    having = {word: sum(word in one for one in found) for word in words}
    return Statistics(texts, length / texts if texts else 0.0, having)
