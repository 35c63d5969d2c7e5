"""Finding by words: the engine's index brings what has any of them, BM25 with neighbours ranks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, true

from perdure.db.search.bm25 import REACH, Statistics, Words, scores, words_of
from perdure.db.search.corpus import Corpus
from perdure.db.search.counts import Counts, counts_of, frequencies, marks_of
from perdure.db.search.engine import among, at_places, having
from perdure.db.search.lexemes import query_lexemes
from perdure.db.search.wanted import Wanted

MOST_WORDS = 64
MOST_HITS = 2_000  # that are weighed in a large scope, unless so many results are wanted

Place = tuple[str, int]  # a series and a position in it
Scored = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with words of the query, or next to such a one."""

    number: int
    place: Place
    words: Words
    passes: bool


@dataclass(slots=True)
class Lexical:
    """What was found by words: `best` are those that pass the filter, best first, with their scores."""

    statistics: Statistics
    hits: list[Found]
    best: Scored


NOTHING = Lexical(Statistics(0, 0.0, {}), [], [])


def lexical(conn: Connection, corpus: Corpus, wanted: Wanted, most: int) -> Lexical:
    """What has any of the words or stands near it: as many of the best as asked for, if there are so many."""
    words = query_lexemes(wanted.text)[:MOST_WORDS]
    counts = counts_of(conn, corpus, wanted) if words else Counts(0, 0, {})
    if not counts.texts:
        return NOTHING
    if counts.small:
        hits = _hits(conn, corpus, wanted, words, words, counts.texts)
        frequency = {word: sum(word in hit.words.counts for hit in hits) for word in words}
    else:
        frequency = frequencies(conn, corpus, marks_of(wanted), words, counts)
        hits = _of_large(conn, corpus, wanted, words, frequency, max(MOST_HITS, 4 * most))
    statistics = Statistics(counts.texts, counts.average, frequency)
    return Lexical(statistics, hits, _best(conn, corpus, wanted, hits, statistics, most))


def _of_large(
    conn: Connection,
    corpus: Corpus,
    wanted: Wanted,
    words: list[str],
    frequency: Mapping[str, int],
    most: int,
) -> list[Found]:
    """Hits of the words that tell most; of the others, too, where those bring too few.

    A word that most texts have hardly changes their order, but there are very many to be ordered.
    """
    by_rarity = sorted((word for word in words if frequency[word]), key=frequency.__getitem__)
    hits: list[Found] = []
    for taken in _growing(by_rarity, frequency, most):
        hits = _hits(conn, corpus, wanted, taken, words, most)
        if len(hits) >= most and wanted.where is not None:
            passing = _hits(conn, corpus, wanted, taken, words, most, passing=True)
            hits = [*passing, *hits]
        if sum(hit.passes for hit in hits) >= most // 4:
            break
    return list({hit.number: hit for hit in hits}.values())


def _growing(words: Sequence[str], frequency: Mapping[str, int], most: int) -> Iterator[Sequence[str]]:
    """The rarest words that together have about so many hits; then twice as many words, until all."""
    total, take = 0, 0
    while take < len(words) and (take == 0 or total + frequency[words[take]] <= most):
        total += frequency[words[take]]
        take += 1
    while take:
        yield words[:take]
        if take == len(words):
            return
        take = min(2 * take, len(words))


def _hits(
    conn: Connection,
    corpus: Corpus,
    wanted: Wanted,
    looked_for: Sequence[str],
    words: Sequence[str],
    most: int,
    *,
    passing: bool = False,
) -> list[Found]:
    """The newest entries with any of the words looked for."""
    brought = having(conn, corpus, marks_of(wanted), looked_for)
    if passing:
        brought = brought.subquery()
        query = _rows(corpus, wanted).join(brought, brought.c.number == corpus.entries.c.number)
        query = query.where(wanted.where if wanted.where is not None else true())
        query = query.order_by(brought.c.number.desc()).limit(most)
    else:
        brought = brought.limit(most).subquery()
        query = _rows(corpus, wanted).join(brought, brought.c.number == corpus.entries.c.number)
    return list(_found(conn.execute(query), wanted, frozenset(words)))


def _rows(corpus: Corpus, wanted: Wanted) -> Select[Any, Any, Any, Any, Any, Any, Any, Any]:
    entries = corpus.entries.c
    query = select(
        entries.number,
        entries.organization_id,
        entries.scope,
        entries.series,
        entries.position,
        entries.lexemes,
        entries.length,
        (true() if wanted.where is None else wanted.where).label("passes"),
    )
    if wanted.where is None:
        return query
    return query.join(corpus.items, corpus.items.c.id == entries.id)


def _found(rows: Iterable[Any], wanted: Wanted, words: frozenset[str]) -> Iterator[Found]:
    for number, organization_id, scope, series, position, lexemes, length, passes in rows:
        if organization_id == wanted.organization_id and (wanted.scopes is None or scope in wanted.scopes):
            counted = words_of(lexemes.split(" "), words, length)
            yield Found(number, (series, position), counted, bool(passes))


def _best(
    conn: Connection, corpus: Corpus, wanted: Wanted, hits: Sequence[Found], statistics: Statistics, most: int
) -> Scored:
    """The best of what has the words and, where vectors are asked too, of what stands next to that."""
    scored = _scores(corpus, hits, statistics)
    passing = {hit.number for hit in hits if hit.passes}
    ranked = [(key, value) for key, value in scored.items() if isinstance(key, int) and key in passing]
    if wanted.vectors and wanted.mode == "hybrid":
        near = {key: value for key, value in scored.items() if not isinstance(key, int)}
        ranked += _next_to(conn, corpus, wanted, near, most)
    return list(dict(sorted(ranked, key=lambda item: (-item[1], -item[0]))).items())[:most]


def _scores(corpus: Corpus, hits: Iterable[Found], statistics: Statistics) -> dict[int | Place, float]:
    """The scores of hits by their numbers, and of the places next to them."""
    numbers = {hit.place: hit.number for hit in hits}
    near: dict[int | Place, list[tuple[int | Place, int]]] = {}
    if corpus.in_order:
        near = {
            hit.number: [(numbers.get(place, place), steps) for place, steps in _around(hit.place)]
            for hit in hits
        }
    words: dict[int | Place, Words] = {hit.number: hit.words for hit in hits}
    return scores(words, near, statistics)


def _around(place: Place) -> list[tuple[Place, int]]:
    series, position = place
    return [
        ((series, position + sign * steps), steps)
        for steps in range(1, REACH + 1)
        for sign in (-1, 1)
        if position + sign * steps > 0
    ]


def _next_to(
    conn: Connection, corpus: Corpus, wanted: Wanted, near: Mapping[Place, float], most: int
) -> Scored:
    """Of places next to hits those where there is something that passes: as many of the best as asked for."""
    best = sorted(near, key=lambda place: (-near[place], place))
    ranked: Scored = []
    for start in range(0, len(best), most):
        query = _rows(corpus, wanted).where(at_places(conn, corpus, best[start : start + most]))
        there = _found(conn.execute(query), wanted, frozenset())
        ranked += [(each.number, near[each.place]) for each in there if each.passes]
        if len(ranked) >= most:
            break
    return ranked


def scores_of(
    conn: Connection, corpus: Corpus, wanted: Wanted, found: Lexical, numbers: Sequence[int]
) -> dict[int, float]:
    """The scores by words of entries that were found otherwise; those that have none are left out."""
    if not numbers or not found.hits:
        return {}
    words = frozenset(found.statistics.frequency)
    query = _rows(corpus, wanted).where(among(conn, corpus.entries.c.number, numbers))
    rows = list(_found(conn.execute(query), wanted, words))
    near = {place for row in rows for place, _ in _around(row.place)}
    asked = {row.number for row in rows}
    beside = [hit for hit in found.hits if hit.place in near and hit.number not in asked]
    scored = _scores(corpus, [*rows, *beside], found.statistics)
    return {number: scored[number] for number in asked if scored.get(number)}
