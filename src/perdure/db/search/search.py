"""The one search: by words and by meaning, joined by their scores."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from perdure.db.search.corpus import Corpus
from perdure.db.search.fuse import fuse, newest, ranks
from perdure.db.search.lexical import lexical
from perdure.db.search.semantic import nearest
from perdure.db.search.wanted import Hit, Wanted

DEPTH = 1000  # the same for all limits, so that a greater one only adds at the end
Ranks = Mapping[int, tuple[int, float]]


def search(conn: Connection, corpus: Corpus, wanted: Wanted) -> list[Hit]:
    """The best `limit` items, best first; a greater limit (up to `DEPTH`) only adds at the end.

    With vectors, what stands next to entries with the words may be found, too; without, each entry that is
    found has one of the words. With neither words in the text nor vectors nothing is found.
    """
    spaces = wanted.vectors if wanted.mode != "fts" else ()
    words = lexical(conn, corpus, wanted, beside=bool(spaces)) if wanted.mode != "vector" else {}
    deep = max(wanted.limit, DEPTH)
    meaning = [nearest(conn, corpus, wanted, space, deep, words) for space in spaces]
    fused = fuse(words, meaning)
    if wanted.recency:
        for number, share in newest(fused).items():
            fused[number] += wanted.recency * share
    best = list(ranks(fused).items())[: wanted.limit]
    cosines = {number: cosine for found in meaning for number, cosine in found.items()}
    return _hits(conn, corpus, {number: score for number, (_, score) in best}, ranks(words), ranks(cosines))


def _hits(
    conn: Connection, corpus: Corpus, best: Mapping[int, float], words: Ranks, meaning: Ranks
) -> list[Hit]:
    entries = corpus.entries.c
    query = select(entries.number, entries.id).where(entries.number.in_(best))
    ids = {row.number: row.id for row in conn.execute(query)} if best else {}
    nowhere = (None, None)
    return [
        Hit(ids[number], score, *words.get(number, nowhere), *meaning.get(number, nowhere))
        for number, score in best.items()
        if number in ids
    ]
