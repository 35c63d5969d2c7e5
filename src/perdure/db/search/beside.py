"""What stands next to an entry in its scope."""

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, bindparam, select

from perdure.db.search.bm25 import REACH
from perdure.db.search.corpus import Corpus

AT_ONCE = 500


def neighbours(
    conn: Connection, corpus: Corpus, numbers: Collection[int]
) -> dict[int, list[tuple[int, int]]]:
    """For each entry, those up to `REACH` places before and after it in its scope, with the steps to them."""
    found: dict[int, list[tuple[int, int]]] = {}
    asked = sorted(numbers)
    steps = [*range(1, REACH + 1)] * 2
    for start in range(0, len(asked), AT_ONCE):
        for number, *near in conn.execute(_beside(corpus), {"asked": asked[start : start + AT_ONCE]}):
            found[number] = [
                (other, far) for other, far in zip(near, steps, strict=True) if other is not None
            ]
    return found


@cache
def _beside(corpus: Corpus) -> Select[Any]:
    entries = corpus.entries.c
    near = [_at(corpus, step, before) for before in (True, False) for step in range(REACH)]
    return select(entries.number, *near).where(entries.number.in_(bindparam("asked", expanding=True)))


def _at(corpus: Corpus, step: int, before: bool) -> ScalarSelect[int]:
    entry, other = corpus.entries.c, corpus.entries.alias().c
    query = select(other.number).where(other.scope == entry.scope)
    if before:
        query = query.where(other.number < entry.number).order_by(other.number.desc())
    else:
        query = query.where(other.number > entry.number).order_by(other.number)
    return query.limit(1).offset(step).correlate(corpus.entries).scalar_subquery()
