"""Finding by words: the engine's index brings what has any of them, BM25 ranks these and their neighbours."""

from collections import Counter
from collections.abc import Collection, Sequence
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

from perdure.db.search.beside import neighbours
from perdure.db.search.bm25 import Statistics, Words, scores, words_of
from perdure.db.search.corpus import Corpus
from perdure.db.search.entries import mark
from perdure.db.search.lexemes import query_lexemes
from perdure.db.search.wanted import Wanted

MOST_WORDS = 64
MOST_BESIDE = 1000  # of so many entries, the best by themselves, the neighbours are looked at
Columns = tuple[Any, ...]


def lexical(conn: Connection, corpus: Corpus, wanted: Wanted, *, beside: bool) -> dict[int, float]:
    """The scores of entries with any of the words; `beside`: of those, too, that only stand next to such.

    What stands around an entry counts whether or not it passes the filter.
    """
    words = query_lexemes(wanted.text)[:MOST_WORDS]
    if not words or (wanted.scopes is not None and not wanted.scopes):
        return {}
    rows = conn.execute(_candidates(corpus, wanted, words, conn.dialect.name)).all()
    having = {row.number: words_of(row.lexemes.split(" "), words, row.length) for row in rows}
    statistics = _statistics(conn, corpus, wanted, having.values())
    passing = {row.number for row in rows if row.passes}
    best = having
    if len(having) > MOST_BESIDE:
        alone = scores(having, {}, statistics)
        best = {
            number: having[number]
            for number in sorted(alone, key=lambda key: (-alone[key], -key))[:MOST_BESIDE]
        }
    near = neighbours(conn, corpus, best) if corpus.in_order else {}
    scored = scores(having, near, statistics)
    if beside:
        passing |= _passing(conn, corpus, wanted, scored.keys() - having.keys())
    return {number: score for number, score in scored.items() if number in passing}


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


def _statistics(conn: Connection, corpus: Corpus, wanted: Wanted, having: Collection[Words]) -> Statistics:
    entries = corpus.entries.c
    query = select(func.count(), func.coalesce(func.sum(entries.length), 0)).where(*in_scope(corpus, wanted))
    texts, length = conn.execute(query).one()
    frequency = Counter(word for words in having for word in words.counts)
    return Statistics(texts, length / texts if texts else 0.0, frequency)


def _passing(conn: Connection, corpus: Corpus, wanted: Wanted, numbers: Collection[int]) -> set[int]:
    """Which of these pass the filter."""
    if wanted.where is None or not numbers:
        return set(numbers)
    entries = corpus.entries.c
    query = (
        select(entries.number)
        .join(corpus.items, corpus.items.c.id == entries.id)
        .where(entries.number.in_(numbers), wanted.where)
    )
    return set(conn.execute(query).scalars())
