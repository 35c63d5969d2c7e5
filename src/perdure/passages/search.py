"""Finding passages, by words and by meaning."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from perdure.db.search import Hit, Wanted
from perdure.db.search import search as search_corpus
from perdure.passages import store
from perdure.passages.store import PassageRow
from perdure.passages.tables import PASSAGES
from perdure.tenancy.actor import Actor


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, and how well it fits: null where it was only listed."""

    passage: PassageRow
    hit: Hit | None = None


def search(conn: Connection, actor: Actor, wanted: Wanted) -> Sequence[Found]:
    """The passages that fit, best first. Scopes are ids of archives and folders."""
    hits = search_corpus(conn, PASSAGES, wanted)
    rows = store.by_ids(conn, actor, [hit.id for hit in hits])
    return [Found(rows[hit.id], hit) for hit in hits if hit.id in rows]


def vectors_of(conn: Connection, ids: Sequence[str]) -> dict[str, list[float]]:
    """The vectors of passages as they are stored; those that have none yet are left out."""
    entries, vectors = PASSAGES.entries.c, PASSAGES.vectors.c
    query = (
        select(entries.id, vectors.vector)
        .join(PASSAGES.vectors, vectors.number == entries.number)
        .where(entries.id.in_(ids))
    )
    return {id: list(struct.unpack(f"<{len(stored) // 2}e", stored)) for id, stored in conn.execute(query)}
