"""The command: `python -m bench.scale --help`."""

import argparse
import asyncio
import gc
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, select

from bench.scale.data import Made, Source
from perdure.db import Database, connect
from perdure.db.search import Corpus, NewEntry, Wanted, corpus, index, search, store_vectors
from perdure.testing.postgres import create_database, start_postgres

ORGANIZATION = "org-scale"
SPACE = f"bench@{384}"
BATCH = 1_000


def arguments() -> argparse.Namespace:
    """How many, where, and how often."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale",
        description="Fill a corpus with made-up passages of 384 dimensions, then search it in many ways.",
    )
    parser.add_argument("--passages", type=int, default=100_000, help="[%(default)s]")
    parser.add_argument("--searches", type=int, default=60, help="of each kind [%(default)s]")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite", help="[%(default)s]")
    return parser.parse_args()


def declared() -> tuple[MetaData, Corpus]:
    """A table of passages and its corpus."""
    metadata = MetaData()
    items = Table(
        "scale",
        metadata,
        Column("id", String, primary_key=True),
        Column("text", Text, nullable=False),
        Column("tag", Integer, nullable=False),
    )
    return metadata, corpus(items, items.c.text)


async def fill(db: Database, passages: Corpus, source: Source, count: int) -> tuple[float, float, list[Any]]:
    """Store passages and vectors; seconds of either, and the vectors."""
    stored, embedded = 0.0, 0.0
    kept: list[Any] = []
    number = 0
    for made in source.batches(count, BATCH):
        began = time.perf_counter()
        numbers = await db.write(_store, passages, made, number)
        stored += time.perf_counter() - began
        vectors = {place: made.vectors[at].tobytes() for at, place in enumerate(numbers)}
        began = time.perf_counter()
        await db.write(store_vectors, passages, SPACE, vectors)
        embedded += time.perf_counter() - began
        kept.append((numbers, made))
        number += len(made.texts)
    return stored, embedded, kept


def _store(conn: Any, passages: Corpus, made: Made, first: int) -> list[int]:
    ids = [f"passage-{first + at:08}" for at in range(len(made.texts))]
    rows = [
        {"id": id, "text": text, "tag": tag} for id, text, tag in zip(ids, made.texts, made.tags, strict=True)
    ]
    conn.execute(insert(passages.items), rows)
    entries = [
        NewEntry(id, scope, text, SPACE) for id, scope, text in zip(ids, made.scopes, made.texts, strict=True)
    ]
    index(conn, passages, ORGANIZATION, entries)
    table = passages.entries.c
    return list(
        conn.execute(
            select(table.number).where(table.id >= ids[0], table.id <= ids[-1]).order_by(table.id)
        ).scalars()
    )


def _analyze(conn: Any) -> None:
    for name in ("scale", "scale_entries", "scale_vectors"):
        conn.exec_driver_sql(f"analyze {name}")


async def timed(
    db: Database, passages: Corpus, make: Callable[[], Wanted], times: int
) -> tuple[list[tuple[float, float]], list[tuple[Wanted, list[Any]]]]:
    """Milliseconds of searches and of the processor's work for them, and what they found."""
    spent: list[tuple[float, float]] = []
    found: list[tuple[Wanted, list[Any]]] = []
    for _ in range(times):
        wanted = make()
        began = time.perf_counter()
        hits, busy = await db.read(_searched, passages, wanted)
        spent.append((1000 * (time.perf_counter() - began), 1000 * busy))
        found.append((wanted, hits))
    return spent, found


def _searched(conn: Any, passages: Corpus, wanted: Wanted) -> tuple[list[Any], float]:
    began = time.thread_time()
    return search(conn, passages, wanted), time.thread_time() - began


def recalled(
    kept: list[Any], results: list[tuple[Wanted, list[Any]]], tag: int | None, scope: str | None
) -> float:
    """Which part of the ten truly nearest is found, by looking at all vectors."""
    shares: list[float] = []
    allowed = [
        np.array(
            [
                (tag is None or t == tag) and (scope is None or s == scope)
                for t, s in zip(made.tags, made.scopes, strict=True)
            ]
        )
        for _, made in kept
    ]
    for wanted, hits in results[:20]:
        query = np.frombuffer(wanted.vectors[SPACE], "<f4")
        best: list[tuple[float, str]] = []
        for at, ((_, made), mask) in enumerate(zip(kept, allowed, strict=True)):
            scores = np.where(mask, made.vectors.astype("f2").astype("f4") @ query, -2)
            top = np.argpartition(-scores, min(10, len(scores) - 1))[:10]
            best += [(float(scores[place]), f"passage-{at * BATCH + int(place):08}") for place in top]
        true = {id for score, id in sorted(best, reverse=True)[:10] if score > -2}
        shares.append(len(true & {hit.id for hit in hits[:10]}) / len(true))
    return sum(shares) / len(shares)


def told(name: str, spent: list[tuple[float, float]], recall: float | None = None) -> None:
    """One line of figures."""
    exact = f"  R@10 {recall:.3f}" if recall is not None else ""
    wall, busy = zip(*spent, strict=True)
    print(
        f"{name:42} p50 {median(wall):6.1f} ms   p95 {quantiles(wall, n=20)[-1]:6.1f} ms   "
        f"processor p50 {median(busy):6.1f}   p95 {quantiles(busy, n=20)[-1]:6.1f}{exact}",
        flush=True,
    )


def resident() -> float:
    """Megabytes of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def measure(url: str, options: argparse.Namespace) -> None:
    """Fill, search and print."""
    metadata, passages = declared()
    db = connect(url)
    await db.write(metadata.create_all)
    source = Source()
    stored, embedded, kept = await fill(db, passages, source, options.passages)
    print(
        f"stored {options.passages / stored:.0f}/s, vectors {options.passages / embedded:.0f}/s, "
        f"both {options.passages / (stored + embedded):.0f}/s"
    )
    if db.dialect == "postgresql":
        await db.write(_analyze)
    tag = passages.items.c.tag

    def asking(mode: str, scopes: Any = None, where: Any = None) -> Callable[[], Wanted]:
        def make() -> Wanted:
            vector = source.vectors(1)[0].tobytes() if mode != "fts" else b""
            vectors = {SPACE: vector} if vector else {}
            return Wanted(ORGANIZATION, source.question(), scopes, where, vectors, mode)  # type: ignore[arg-type]

        return make

    gc.collect()
    gc.freeze()  # what the bench keeps to check the answers is no part of a server
    before = resident()
    spent, _ = await timed(db, passages, asking("hybrid"), 1)
    print(f"first search {spent[0][0]:.0f} ms, memory +{resident() - before:.0f} MB")
    kinds = {
        "all": (None, None, None),
        "all, a tag of 5 %": (None, tag == 3, 3),
        "large archive": (["large"], None, None),
        "large archive, a tag of 5 %": (["large"], tag == 3, 3),
        "small archive of 1,000": (["small-3"], None, None),
        "small archive, a tag of 5 %": (["small-3"], tag == 3, 3),
    }
    for mode in ("vector", "fts", "hybrid"):
        for name, (scopes, where, only) in kinds.items():
            await timed(db, passages, asking(mode, scopes, where), 3)
            spent, found = await timed(db, passages, asking(mode, scopes, where), options.searches)
            recall = recalled(kept, found, only, scopes[0] if scopes else None) if mode == "vector" else None
            told(f"{mode}: {name}", spent, recall)
    print(f"memory after all, less the bench's own: +{resident() - before:.0f} MB")
    await db.close()


def main() -> None:
    """Measure on a fresh database."""
    options = arguments()
    if options.database == "postgres":
        server = start_postgres()
        assert server, "There are no Postgres binaries here."
        try:
            asyncio.run(measure(asyncio.run(create_database(server.url)), options))
        finally:
            server.stop()
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(f"sqlite:///{folder}/scale.db", options))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(f"on disk {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
