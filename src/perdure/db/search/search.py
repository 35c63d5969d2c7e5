"""The one search: by words and by meaning, joined by rank."""

from sqlalchemy import Connection, select

from perdure.db.search.corpus import Corpus
from perdure.db.search.fuse import depth, fused, ranks
from perdure.db.search.lexical import lexical
from perdure.db.search.semantic import nearest
from perdure.db.search.wanted import Hit, Wanted

Scored = list[tuple[int, float]]


def search(conn: Connection, corpus: Corpus, wanted: Wanted) -> list[Hit]:
    """The best `limit` items, best first; a greater limit only adds at the end.

    Without words in the text, and with no vector for a space of the entries, nothing is found.
    """
    deep = depth(wanted.limit)
    by_words = lexical(conn, corpus, wanted, deep) if wanted.mode != "vector" else []
    by_meaning = _by_meaning(conn, corpus, wanted, deep) if wanted.mode != "fts" else []
    lists: list[list[int]] = [[number for number, _ in ranked] for ranked in (by_words, by_meaning)]
    weights = [1.0, 1.0]
    if wanted.recency:
        lists.append(sorted({*lists[0], *lists[1]}, reverse=True))
        weights.append(wanted.recency)
    best = fused(lists, weights)[: wanted.limit]
    return _hits(conn, corpus, best, by_words, by_meaning)


def _by_meaning(conn: Connection, corpus: Corpus, wanted: Wanted, most: int) -> Scored:
    """Nearest of all spaces; as cosines of different spaces cannot be compared, joined by rank."""
    found = [nearest(conn, corpus, wanted, space, most) for space in wanted.vectors]
    found = [ranked for ranked in found if ranked]
    if len(found) <= 1:
        return found[0] if found else []
    cosines = dict(pair for ranked in found for pair in ranked)
    joined = fused([[number for number, _ in ranked] for ranked in found], [1.0] * len(found))
    return [(number, cosines[number]) for number, _ in joined][:most]


def _hits(conn: Connection, corpus: Corpus, best: Scored, by_words: Scored, by_meaning: Scored) -> list[Hit]:
    entries = corpus.entries.c
    query = select(entries.number, entries.id).where(entries.number.in_([number for number, _ in best]))
    ids = {row.number: row.id for row in conn.execute(query)} if best else {}
    words, meaning = ranks(by_words), ranks(by_meaning)
    nowhere = (None, None)
    return [
        Hit(ids[number], score, *words.get(number, nowhere), *meaning.get(number, nowhere))
        for number, score in best
        if number in ids
    ]
