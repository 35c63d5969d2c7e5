"""Finding by words: the engine's index brings what has any of them, BM25 with neighbours ranks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, select, true

from perdure.db.search.bm25 import REACH, Statistics, Words, scores
from perdure.db.search.corpus import Corpus
from perdure.db.search.counts import Counts, counts_of, frequencies, marks_of
from perdure.db.search.engine import among, aside, having, places, unhurried
from perdure.db.search.lexemes import query_lexemes
from perdure.db.search.wanted import Wanted

MOST_WORDS = 64
MOST_NEAR = 3  # times as many places next to hits are looked at as results are wanted
FIRST_NEAR = 200  # places next to hits that are asked for first
MOST_HITS = 600  # that are looked at in a large scope, unless so many results are wanted
WEIGHED = 2  # times as many as are wanted, the best by themselves, are weighed with their neighbours
WEIGHED_ALONE = 6  # where there are no vectors to help

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
    counts = counts_of(conn, corpus, wanted, words) if words else Counts(0, 0, {})
    if not counts.texts:
        return NOTHING
    if counts.small:
        hits = _hits(conn, corpus, wanted, words, words, counts.texts)
        frequency = {word: sum(word in hit.words.counts for hit in hits) for word in words}
    else:
        frequency = frequencies(conn, corpus, marks_of(wanted), words, counts)
        hits = _of_large(conn, corpus, wanted, words, frequency, most)
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
    looked_at = max(MOST_HITS, 3 * most)
    by_rarity = sorted((word for word in words if frequency[word]), key=frequency.__getitem__)
    if not by_rarity:
        return []
    telling = _telling(by_rarity, frequency, looked_at)
    hits = _hits(conn, corpus, wanted, telling, words, looked_at)
    if sum(hit.passes for hit in hits) < most:
        hits += _hits(conn, corpus, wanted, by_rarity, words, WEIGHED * most, passing=True)
    return list({hit.number: hit for hit in hits}.values())


def _telling(words: Sequence[str], frequency: Mapping[str, int], most: int) -> Sequence[str]:
    """The rarest words that together have about so many hits, at least one."""
    total = 0
    for taken, word in enumerate(words):
        total += frequency[word]
        if taken and total > most:
            return words[:taken]
    return words


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
    rows = conn.execute(query).all()
    return aside(conn, len(rows), lambda: list(_found(rows, wanted, words)))


def _in_scope(corpus: Corpus, wanted: Wanted) -> list[ColumnElement[bool]]:
    """That an entry is of the organization and the scopes; by better indexes than those of either."""
    entries = corpus.entries.c
    ours = unhurried(entries.organization_id) == wanted.organization_id
    return [ours] if wanted.scopes is None else [ours, unhurried(entries.scope).in_(wanted.scopes)]


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


def _found(rows: Iterable[Any], wanted: Wanted, words: Sequence[str]) -> Iterator[Found]:
    for number, organization_id, scope, series, position, lexemes, length, passes in rows:
        if organization_id == wanted.organization_id and (wanted.scopes is None or scope in wanted.scopes):
            yield Found(number, (series, position), _counted(lexemes, words, length), bool(passes))


def _counted(lexemes: str, words: Sequence[str], length: int) -> Words:
    """How often a text has each of some words; most texts have few of them."""
    having = [word for word in words if f" {word} " in lexemes or lexemes.endswith(f" {word}")]
    if not having:
        return Words({}, length)
    each = lexemes.split(" ")
    return Words({word: each.count(word) for word in having}, length)


def _best(
    conn: Connection, corpus: Corpus, wanted: Wanted, hits: Sequence[Found], statistics: Statistics, most: int
) -> Scored:
    """The best of what has the words and, where vectors are asked too, of what stands next to that."""
    spread = bool(wanted.vectors) and wanted.mode == "hybrid"

    def weighed() -> dict[int | Place, float]:
        weighed_hits = _most_telling(hits, statistics, (WEIGHED if spread else WEIGHED_ALONE) * most)
        return _scores(corpus, weighed_hits, statistics, spread=spread)

    scored = aside(conn, len(hits), weighed)
    passing = {hit.number for hit in hits if hit.passes}
    ranked = [(key, value) for key, value in scored.items() if isinstance(key, int) and key in passing]
    if spread:
        near = {key: value for key, value in scored.items() if not isinstance(key, int)}
        ranked += _next_to(conn, corpus, wanted, near, most)
    return list(dict(sorted(ranked, key=lambda item: (-item[1], -item[0]))).items())[:most]


def _most_telling(hits: Sequence[Found], statistics: Statistics, most: int) -> Sequence[Found]:
    """The best by themselves, and the best of those that pass."""
    if len(hits) <= most:
        return hits
    alone = scores({hit.number: hit.words for hit in hits}, {}, statistics)
    ordered = sorted(hits, key=lambda hit: (-alone[hit.number], -hit.number))
    passing = [hit for hit in ordered if hit.passes][:most]
    return list({hit.number: hit for hit in (*ordered[:most], *passing)}.values())


def _scores(
    corpus: Corpus, hits: Iterable[Found], statistics: Statistics, *, spread: bool
) -> dict[int | Place, float]:
    """The scores of hits by their numbers; where they `spread`, of the places next to them, too."""
    numbers = {hit.place: hit.number for hit in hits}
    near: dict[int | Place, list[tuple[int | Place, int]]] = {}
    if corpus.in_order:
        near = {
            hit.number: [
                (numbers.get(place, place), steps)
                for place, steps in _around(hit.place)
                if spread or place in numbers
            ]
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
    best = sorted(near, key=lambda place: (-near[place], place))[: MOST_NEAR * most]
    ranked: Scored = []
    start, size, entries = 0, FIRST_NEAR, corpus.entries.c
    while start < len(best) and len(ranked) < most:
        at = places(conn, best[start : start + size])
        here = and_(entries.series == at.c.series, entries.position == at.c.position)
        query = (
            select(entries.number, at.c.series, at.c.position)
            .join(at, here)
            .where(*_in_scope(corpus, wanted))
        )
        if wanted.where is not None:
            query = query.join(corpus.items, corpus.items.c.id == entries.id).where(wanted.where)
        ranked += [(number, near[series, position]) for number, series, position in conn.execute(query)]
        start, size = start + size, 2 * size
    return ranked


def scores_of(
    conn: Connection, corpus: Corpus, wanted: Wanted, found: Lexical, numbers: Sequence[int]
) -> dict[int, float]:
    """The scores by words of entries that were found otherwise; those that have none are left out."""
    if not numbers or not found.hits:
        return {}
    words = list(found.statistics.frequency)
    query = _rows(corpus, wanted).where(among(conn, corpus.entries.c.number, numbers))
    rows = list(_found(conn.execute(query), wanted, words))
    near = {place for row in rows for place, _ in _around(row.place)}
    asked = {row.number for row in rows}
    beside = [hit for hit in found.hits if hit.place in near and hit.number not in asked]
    scored = _scores(corpus, [*rows, *beside], found.statistics, spread=False)
    return {number: scored[number] for number in asked if scored.get(number)}
