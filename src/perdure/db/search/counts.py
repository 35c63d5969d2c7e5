"""How many entries there are to search, how long they are, and how many have a word.

Of small scopes all is counted. Of large ones the totals are kept in memory and grow with what is new, and the
words that many entries have are known from a sample: counting those would take longer than the search.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, Connection, func, select

from perdure.db.search.corpus import Corpus
from perdure.db.search.engine import having
from perdure.db.search.entries import MARKS, mark
from perdure.db.search.remembered import memory_of
from perdure.db.search.wanted import Wanted

SMALL = 1_000  # entries of a scope that are all looked at
MOST_COUNTED = 2_000
SPOTS, EACH = 20, 100  # of a sample
COMMON = 0.01  # share of a sample from which on a word is not counted
GROWTH = 1.2  # how much larger a scope may be than when its sample was taken
LASTING = 600.0  # seconds until totals are counted anew, which deletions make smaller


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one scope. `shares`: of which part of a sample each common word was."""

    texts: int = 0
    length: int = 0
    last: int = 0
    sampled: int = 0
    counted: float = -LASTING
    shares: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def size(self) -> int:
        """Roughly what it takes."""
        return 200 * len(self.shares) + 200


@dataclass(frozen=True, slots=True)
class Counts:
    """Of all that is searched."""

    texts: int
    length: int
    shares: Mapping[str, float]

    @property
    def average(self) -> float:
        """The usual length of a text."""
        return self.length / self.texts if self.texts else 0.0

    @property
    def small(self) -> bool:
        """Whether all entries can be looked at."""
        return self.texts <= SMALL


def counts_of(conn: Connection, corpus: Corpus, wanted: Wanted, words: Sequence[str]) -> Counts:
    """What there is to search, for some words."""
    entries = corpus.entries.c
    if wanted.scopes is None:
        parts = [
            _totals(conn, corpus, entries.organization_id == wanted.organization_id, wanted.organization_id)
        ]
    else:
        parts = [_totals(conn, corpus, entries.scope == scope, scope) for scope in wanted.scopes]
    texts = sum(part.texts for part in parts)
    shares: dict[str, float] = {}
    for part in parts:
        for word in words:
            if word in part.shares:
                shares[word] = shares.get(word, 0.0) + part.shares[word] * part.texts / texts
    return Counts(texts, sum(part.length for part in parts), shares)


def frequencies(
    conn: Connection, corpus: Corpus, marks: Sequence[str], words: Sequence[str], counts: Counts
) -> dict[str, int]:
    """How many entries of a large scope have each word; of those that many have, about how many."""
    found = {word: round(counts.shares[word] * counts.texts) for word in words if word in counts.shares}
    common = {word for word in found if counts.shares[word] >= COMMON}
    rare = [word for word in words if word not in common]
    if rare:
        each = [
            select(func.count())
            .select_from(having(conn, corpus, marks, [word]).limit(MOST_COUNTED).subquery())
            .scalar_subquery()
            for word in rare
        ]
        for word, counted in zip(rare, conn.execute(select(*each)).one(), strict=True):
            found[word] = counted if counted < MOST_COUNTED else max(counted, found.get(word, 0))
    return found


def _totals(conn: Connection, corpus: Corpus, scope: ColumnElement[bool], key: str) -> Totals:
    entries = corpus.entries.c
    some = select(entries.length).where(scope).limit(SMALL + 1).subquery()
    query = select(func.count(), func.coalesce(func.sum(some.c.length), 0)).select_from(some)
    texts, length = conn.execute(query).one()
    if texts <= SMALL:
        return Totals(texts, length)
    memory, named = memory_of(conn), ("totals", corpus.items.name, key)
    totals = _renewed(conn, corpus, scope, memory.get(named, Totals))
    memory.put(named, totals)
    return totals


def _renewed(conn: Connection, corpus: Corpus, scope: ColumnElement[bool], kept: Totals) -> Totals:
    """The totals with what is new; from time to time all is counted anew, as some may be gone."""
    entries = corpus.entries.c
    if time.monotonic() - kept.counted > LASTING:
        kept = replace(kept, texts=0, length=0, last=0, counted=time.monotonic())
    query = select(func.count(), func.sum(entries.length), func.max(entries.number))
    texts, length, last = conn.execute(query.where(scope, entries.number > kept.last)).one()
    if texts:
        kept = replace(kept, texts=kept.texts + texts, length=kept.length + length, last=last)
    if kept.texts > GROWTH * kept.sampled:
        kept = replace(kept, sampled=kept.texts, shares=_sample(conn, corpus, scope, kept.last))
    return kept


def _sample(conn: Connection, corpus: Corpus, scope: ColumnElement[bool], last: int) -> dict[str, float]:
    """Which part of the entries has each of the words that are not rare, by looking here and there."""
    entries = corpus.entries.c
    first = conn.execute(select(func.min(entries.number)).where(scope)).scalar_one()
    looked = 0
    found = Counter[str]()
    for spot in range(SPOTS):
        start = first + (last - first) * spot // SPOTS
        query = select(entries.lexemes).where(scope, entries.number >= start)
        for lexemes in conn.execute(query.order_by(entries.number).limit(EACH)).scalars():
            looked += 1
            found.update(set(lexemes.split(" ")[MARKS:]))
    return {word: times / looked for word, times in found.items() if times > 1}


def marks_of(wanted: Wanted) -> list[str]:
    """The lexemes that entries of the scopes searched have."""
    return [mark(scope) for scope in ((wanted.organization_id,) if wanted.scopes is None else wanted.scopes)]
