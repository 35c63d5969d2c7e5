"""`/v1/archives`: archives and their passages. Those of an agent are found under it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from perdure.archives import store
from perdure.archives.archives import Archives, CurrentArchives
from perdure.archives.contents import change_passage, list_passages, passage_in, remove_passage
from perdure.archives.schemas import (
    Archive,
    CreateArchive,
    CreateArchivePassage,
    CreateBatch,
    Imported,
    UpdateArchive,
    UpdatePassage,
    wire_archive,
)
from perdure.archives.store import ArchiveFilter, ArchiveRow
from perdure.archives.transfer import Import, exported
from perdure.db import Db
from perdure.embeddings.base import NONE
from perdure.embeddings.schemas import EmbeddingConfig
from perdure.kit.clock import Moment
from perdure.kit.ids import AgentId, ArchiveId, PassageId
from perdure.kit.paging import Page, page_query
from perdure.passages.schemas import Passage, wire_passage
from perdure.passages.search import vectors_of
from perdure.passages.store import PassageFilter
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1/archives", tags=["archives"])
LINES = "application/x-ndjson"
WithVectors = Annotated[bool, Query(description="With the passages' vectors, where they have been made.")]


async def _passage_filter(
    *,
    search: Annotated[str | None, Query(description="Part of the text, in any case.")] = None,
    tags: Annotated[list[str] | None, Query()] = None,
    tag_match_mode: Literal["any", "all"] = "any",
    start_date: Annotated[Moment | None, Query(description="Nothing before; UTC.")] = None,
    end_date: Annotated[Moment | None, Query(description="Nothing after; UTC.")] = None,
) -> PassageFilter:
    return PassageFilter(
        text=search,
        tags=tuple(tags or ()),
        match_all_tags=tag_match_mode == "all",
        start=start_date,
        end=end_date,
    )


@router.post("/")
async def create_archive(actor: CurrentActor, archives: CurrentArchives, body: CreateArchive) -> Archive:
    """Make an archive; agents read it once it is attached."""
    return await _shown(archives, actor, await archives.create(actor, body.values(), body.handle()))


@router.get("/")
async def list_archives(
    *,
    db: Db,
    actor: CurrentActor,
    archives: CurrentArchives,
    page: Annotated[Page, page_query()],
    name: Annotated[str | None, Query(description="The archives of this name.")] = None,
    agent_id: Annotated[AgentId | None, Query(description="Those that this agent has.")] = None,
) -> list[Archive]:
    """The organization's archives, newest first."""
    rows = await db.read(store.list_, actor, page, ArchiveFilter(name, agent_id))
    configs = {named: await _config(archives, actor, named) for named in {row.embedding for row in rows}}
    return [wire_archive(row, configs[row.embedding]) for row in rows]


@router.get("/{archive_id}")
async def retrieve_archive(
    db: Db, actor: CurrentActor, archives: CurrentArchives, archive_id: ArchiveId
) -> Archive:
    """One archive."""
    return await _shown(archives, actor, await db.read(store.get, actor, archive_id))


@router.patch("/{archive_id}")
async def modify_archive(
    actor: CurrentActor, archives: CurrentArchives, archive_id: ArchiveId, body: UpdateArchive
) -> Archive:
    """Change an archive, for all agents that have it; with another model, all is embedded anew."""
    changed = await archives.change(actor, archive_id, body.changes(), body.model())
    return await _shown(archives, actor, changed)


@router.delete("/{archive_id}", status_code=204)
async def delete_archive(db: Db, actor: CurrentActor, archive_id: ArchiveId) -> None:
    """Delete an archive with its passages."""
    await db.write(store.remove, actor, archive_id)


@router.get("/{archive_id}/passages")
async def list_archive_passages(
    db: Db,
    actor: CurrentActor,
    archive_id: ArchiveId,
    page: Annotated[Page, page_query(limit=100)],
    wanted: Annotated[PassageFilter, Depends(_passage_filter)],
    include_embedding: WithVectors = False,
) -> list[Passage]:
    """An archive's passages by their time, the latest first."""
    rows = await db.read(list_passages, actor, archive_id, page, wanted)
    vectors = await db.read(vectors_of, [row.id for row in rows]) if include_embedding else {}
    return [wire_passage(row, vectors.get(row.id)) for row in rows]


@router.post("/{archive_id}/passages")
async def create_passage(
    actor: CurrentActor, archives: CurrentArchives, archive_id: ArchiveId, body: CreateArchivePassage
) -> Passage:
    """Add a passage to an archive."""
    [row] = await archives.add(actor, archive_id, [body.new()], deduplicate=body.deduplicate)
    return wire_passage(row)


@router.post("/{archive_id}/passages/batch")
async def create_passages(
    actor: CurrentActor, archives: CurrentArchives, archive_id: ArchiveId, body: CreateBatch
) -> list[Passage]:
    """Add passages to an archive, all or none; answers with one for each, in order."""
    items = [passage.new() for passage in body.passages]
    rows = await archives.add(actor, archive_id, items, deduplicate=body.deduplicate)
    return [wire_passage(row) for row in rows]


@router.get("/{archive_id}/passages/{passage_id}")
async def retrieve_passage(
    db: Db,
    actor: CurrentActor,
    archive_id: ArchiveId,
    passage_id: PassageId,
    include_embedding: WithVectors = False,
) -> Passage:
    """One passage of an archive."""
    row = await db.read(passage_in, actor, archive_id, passage_id)
    vectors = await db.read(vectors_of, [row.id]) if include_embedding else {}
    return wire_passage(row, vectors.get(row.id))


@router.patch("/{archive_id}/passages/{passage_id}")
async def modify_passage(
    *,
    db: Db,
    actor: CurrentActor,
    archives: CurrentArchives,
    archive_id: ArchiveId,
    passage_id: PassageId,
    body: UpdatePassage,
) -> Passage:
    """Change what a passage says, or its tags or metadata; its time stays."""
    row = await db.write(change_passage, actor, archive_id, passage_id, body.changes())
    await archives.settle([row.id])
    return wire_passage(row)


@router.delete("/{archive_id}/passages/{passage_id}", status_code=204)
async def delete_passage(db: Db, actor: CurrentActor, archive_id: ArchiveId, passage_id: PassageId) -> None:
    """Delete a passage of an archive."""
    await db.write(remove_passage, actor, archive_id, passage_id)


@router.get("/{archive_id}/export", response_class=StreamingResponse)
async def export_archive(db: Db, actor: CurrentActor, archive_id: ArchiveId) -> Response:
    """All passages of an archive as lines of JSON, the oldest first."""
    await db.read(store.get, actor, archive_id)
    return StreamingResponse(exported(db, actor, archive_id), media_type=LINES)


@router.post("/{archive_id}/import")
async def import_passages(
    *,
    request: Request,
    db: Db,
    actor: CurrentActor,
    archives: CurrentArchives,
    archive_id: ArchiveId,
    deduplicate: bool | None = None,
) -> Imported:
    """Add passages, as many as there are: a body of lines of JSON such as an export has."""
    await db.read(store.get, actor, archive_id)
    return await Import(archives, actor, archive_id, deduplicate).run(request.stream())


async def _config(archives: Archives, actor: Actor, embedding: str | None) -> EmbeddingConfig | None:
    return await archives.embeddings.config(actor, embedding or NONE)


async def _shown(archives: Archives, actor: Actor, row: ArchiveRow) -> Archive:
    return wire_archive(row, await _config(archives, actor, row.embedding))
