"""The one search: by words and by meaning, joined by score."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from perdure.db.search.corpus import Corpus
from perdure.db.search.engine import among
from perdure.db.search.fuse import fuse, newest, ranks
from perdure.db.search.lexical import NOTHING, Lexical, lexical, scores_of
from perdure.db.search.semantic import cosines, nearest
from perdure.db.search.wanted import Hit, Wanted

Scored = list[tuple[int, float]]

BLOCK = 100  # ranks of each list that are ordered together


def search(conn: Connection, corpus: Corpus, wanted: Wanted) -> list[Hit]:
    """The best `limit` items, best first; a greater limit only adds at the end.

    With vectors, what stands next to entries with the words may be found, too; without, each entry that is
    found has one of the words. With neither words in the text nor vectors nothing is found.
    """
    deep = -(-max(wanted.limit, 1) // BLOCK) * BLOCK
    words = lexical(conn, corpus, wanted, deep) if wanted.mode != "vector" else NOTHING
    meaning = {
        space: found
        for space in (wanted.vectors if wanted.mode != "fts" else ())
        if (found := nearest(conn, corpus, wanted, space, deep))
    }
    order: dict[int, float] = {}
    for block in _blocks([words.best, *meaning.values()], deep):
        fused = _fused(conn, corpus, wanted, words, meaning, [each for each in block if each not in order])
        order |= {number: score for number, (_, score) in ranks(fused).items()}
    best = list(order.items())[: wanted.limit]
    return _hits(conn, corpus, best, words.best, list(meaning.values()))


def _blocks(lists: Sequence[Scored], deep: int) -> Iterator[list[int]]:
    """The candidates of the lists' first ranks, then of the next ones, and so on.

    Each block is ordered by itself, so that what longer lists add comes behind, and pages of a search
    fit together.
    """
    for start in range(0, min(deep, max(map(len, lists))), BLOCK):
        yield list(dict.fromkeys(number for found in lists for number, _ in found[start : start + BLOCK]))


def _fused(
    conn: Connection,
    corpus: Corpus,
    wanted: Wanted,
    words: Lexical,
    meaning: Mapping[str, Scored],
    block: list[int],
) -> dict[int, float]:
    """The joint scores of the candidates of a block, with both scores of each."""
    by_words = dict(words.best)
    if meaning:
        missing = [number for number in block if number not in by_words]
        by_words |= scores_of(conn, corpus, wanted, words, missing)
    by_meaning: list[dict[int, float]] = []
    for space, found in meaning.items():
        close = dict(found)
        missing = [number for number in block if number not in close]
        by_meaning.append(close | cosines(conn, corpus, wanted, space, missing))
    fused = fuse(by_words, by_meaning)
    fused = {number: fused.get(number, 0.0) for number in block}
    for number, share in newest(fused).items() if wanted.recency else ():
        fused[number] += wanted.recency * share
    return fused


def _hits(
    conn: Connection,
    corpus: Corpus,
    best: Scored,
    by_words: Scored,
    by_meaning: Sequence[Scored],
) -> list[Hit]:
    entries = corpus.entries.c
    query = select(entries.number, entries.id).where(
        among(conn, entries.number, [number for number, _ in best])
    )
    ids = {row.number: row.id for row in conn.execute(query)} if best else {}
    words, nowhere = _places(by_words), (None, None)
    meaning = {number: place for found in by_meaning for number, place in _places(found).items()}
    return [
        Hit(ids[number], score, *words.get(number, nowhere), *meaning.get(number, nowhere))
        for number, score in best
        if number in ids
    ]


def _places(ranked: Scored) -> dict[int, tuple[int, float]]:
    """Where each stands, from 1, with its score."""
    return {number: (rank, score) for rank, (number, score) in enumerate(ranked, 1)}
