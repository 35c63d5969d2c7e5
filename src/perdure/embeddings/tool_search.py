"""Searching tools, by words and by meaning: there are few, so that each search looks at all of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from perdure.db import Db
from perdure.db.search.fuse import fuse
from perdure.embeddings.base import EmbeddingUnavailable
from perdure.embeddings.catalog import Embeddings
from perdure.kit.errors import InvalidArgument
from perdure.tenancy.actor import Actor, CurrentActor
from perdure.tools import store
from perdure.tools.schemas import FoundTool, SearchTools, known_types, tool_of
from perdure.tools.search import scores, text_of
from perdure.tools.store import ToolFilter, ToolRow

router = APIRouter(prefix="/v1/tools", tags=["tools"])


async def _of_request(request: Request) -> Embeddings:
    return request.app.state.embeddings


@router.post("/search")
async def search_tools(
    body: SearchTools, db: Db, actor: CurrentActor, embeddings: Annotated[Embeddings, Depends(_of_request)]
) -> list[FoundTool]:
    """The tools that fit a query best, by its words, by its meaning, or by both.

    Without a query, the tools of these types and tags, newest first.
    """
    wanted = ToolFilter(kinds=known_types("tool_types", body.tool_types or ()), tags=tuple(body.tags or ()))
    rows = await db.read(store.all_, actor, wanted)
    if not body.query:
        return [_found(row, {}, {}, 0.0) for row in rows[: body.limit]]
    words = scores(body.query, rows) if body.search_mode != "vector" else {}
    meaning = await _meaning(embeddings, actor, body.query, rows) if body.search_mode != "fts" else {}
    if body.search_mode == "vector" and rows and not meaning:
        raise InvalidArgument("search_mode: no embedding model answers; use `fts`, or `hybrid`.")
    combined = fuse(words, [meaning] if meaning else [])
    best = sorted(combined, key=combined.__getitem__, reverse=True)[: body.limit]
    by_id, word_ranks, meaning_ranks = {row.id: row for row in rows}, _ranks(words), _ranks(meaning)
    return [_found(by_id[id], word_ranks, meaning_ranks, combined[id]) for id in best]


async def _meaning(
    embeddings: Embeddings, actor: Actor, query: str, rows: Sequence[ToolRow]
) -> dict[str, float]:
    """How near each tool is to a query; nothing where no vectors can be had."""
    from perdure.db.search.numbers import halved, similarities  # noqa: PLC0415 - NumPy, only with vectors

    try:
        embedder = await embeddings.resolve(actor, None)
        if embedder is None or not rows or not query.strip():
            return {}
        [asked] = await embedder.embed([query], "query")
        told = await embedder.embed([text_of(row) for row in rows], "passage")
    except EmbeddingUnavailable:
        return {}
    near = similarities(asked, [halved(vector) for vector in told])
    return dict(zip((row.id for row in rows), near, strict=True))


def _ranks(scored: Mapping[str, float]) -> dict[str, int]:
    return {id: rank for rank, id in enumerate(sorted(scored, key=scored.__getitem__, reverse=True), 1)}


def _found(row: ToolRow, words: Mapping[str, int], meaning: Mapping[str, int], score: float) -> FoundTool:
    return FoundTool(
        tool=tool_of(row),
        embedded_text=text_of(row),
        fts_rank=words.get(row.id),
        vector_rank=meaning.get(row.id),
        combined_score=score,
    )
