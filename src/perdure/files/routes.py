"""`/v1/folders`, and `/v1/sources`, its older name. What concerns agents, too, has its routes with them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from perdure.db import Db
from perdure.files import folders, store
from perdure.files.embedding import CurrentEmbedding
from perdure.files.listing import files_of, passages_of, shown_file
from perdure.files.schemas import (
    Contents,
    CreateFolder,
    File,
    Folder,
    UpdateFolder,
    wire_contents,
    wire_folder,
)
from perdure.kit.ids import FileId, FolderId
from perdure.kit.paging import Page, page_query
from perdure.passages.schemas import Passage
from perdure.tenancy.actor import CurrentActor

router = APIRouter(tags=["folders"])
FOLDERS, SOURCES = "/v1/folders", "/v1/sources"

IncludeContent = Annotated[bool, Query(description="The whole text of each, too.")]


@router.get(FOLDERS + "/count")
@router.get(SOURCES + "/count", deprecated=True)
async def count_folders(db: Db, actor: CurrentActor) -> int:
    """How many folders the organization has."""
    return await db.read(folders.count, actor)


@router.get(FOLDERS + "/metadata")
@router.get(SOURCES + "/metadata", deprecated=True)
async def contents(
    db: Db, actor: CurrentActor, *, include_detailed_per_source_metadata: bool = False
) -> Contents:
    """How many folders and files there are, and how large they are; in detail where asked for."""
    found = await db.read(store.stats, actor)
    return wire_contents(found, detailed=include_detailed_per_source_metadata)


@router.get(FOLDERS + "/name/{folder_name}")
@router.get(SOURCES + "/name/{folder_name}", deprecated=True)
async def folder_id_of_name(folder_name: str, db: Db, actor: CurrentActor) -> str:
    """The id of the folder of this name."""
    return await db.read(folders.id_of_name, actor, folder_name)


@router.get(FOLDERS + "/")
@router.get(SOURCES + "/", deprecated=True)
async def list_folders(
    db: Db,
    actor: CurrentActor,
    embedding: CurrentEmbedding,
    page: Annotated[Page, page_query(limit=50, order="asc")],
    name: Annotated[str | None, Query(description="The folder of this name.")] = None,
) -> list[Folder]:
    """The organization's folders, oldest first."""
    rows = await db.read(folders.list_, actor, page, name)
    return [wire_folder(row, await embedding.config(actor, row.embedding)) for row in rows]


@router.post(FOLDERS + "/")
@router.post(SOURCES + "/", deprecated=True)
async def create_folder(
    db: Db, actor: CurrentActor, embedding: CurrentEmbedding, body: CreateFolder
) -> Folder:
    """Make a folder."""
    values = body.values()
    config = await embedding.config(actor, values["embedding"], checked=True)
    return wire_folder(await db.write(folders.create, actor, values), config)


@router.get(FOLDERS + "/{folder_id}")
@router.get(SOURCES + "/{folder_id}", deprecated=True)
async def retrieve_folder(
    db: Db, actor: CurrentActor, embedding: CurrentEmbedding, folder_id: FolderId
) -> Folder:
    """One folder."""
    row = await db.read(folders.get, actor, folder_id)
    return wire_folder(row, await embedding.config(actor, row.embedding))


@router.patch(FOLDERS + "/{folder_id}")
@router.patch(SOURCES + "/{folder_id}", deprecated=True)
async def update_folder(
    db: Db, actor: CurrentActor, embedding: CurrentEmbedding, folder_id: FolderId, body: UpdateFolder
) -> Folder:
    """Change a folder. Another embedding model makes the vectors of its passages anew, in the background."""
    values = body.values()
    await db.read(folders.get, actor, folder_id)
    if "embedding" in values:
        await embedding.config(actor, values["embedding"], checked=True)
    row = await db.write(folders.change, actor, folder_id, values)
    if "embedding" in values:
        await embedding.renew(actor, row)
    return wire_folder(row, await embedding.config(actor, row.embedding))


@router.get(FOLDERS + "/{folder_id}/files")
@router.get(SOURCES + "/{folder_id}/files", deprecated=True)
async def list_files(
    db: Db,
    actor: CurrentActor,
    folder_id: FolderId,
    page: Annotated[Page, page_query(limit=1000, order="desc")],
    *,
    include_content: IncludeContent = False,
) -> list[File]:
    """The files of a folder, newest first, and how far the reading of each is."""
    return await db.read(files_of, actor, folder_id, page, content=include_content)


@router.get(FOLDERS + "/{folder_id}/files/{file_id}")
@router.get(SOURCES + "/{folder_id}/files/{file_id}", deprecated=True)
async def retrieve_file(
    db: Db,
    actor: CurrentActor,
    folder_id: FolderId,
    file_id: FileId,
    *,
    include_content: IncludeContent = False,
) -> File:
    """One file, and how far the reading of it is."""
    return await db.read(shown_file, actor, folder_id, file_id, content=include_content)


@router.get(FOLDERS + "/{folder_id}/passages")
@router.get(SOURCES + "/{folder_id}/passages", deprecated=True)
async def list_passages(
    db: Db,
    actor: CurrentActor,
    folder_id: FolderId,
    page: Annotated[Page, page_query(limit=100, order="desc")],
) -> list[Passage]:
    """The passages of a folder's files, the newest first."""
    return await db.read(passages_of, actor, folder_id, page)


@router.delete(FOLDERS + "/{folder_id}/{file_id}", status_code=204)
@router.delete(SOURCES + "/{folder_id}/{file_id}", status_code=204, deprecated=True)
async def delete_file(db: Db, actor: CurrentActor, folder_id: FolderId, file_id: FileId) -> Response:
    """Delete a file with its passages; agents that see it see it no more."""
    await db.write(store.remove, actor, folder_id, file_id)
    return Response(status_code=204)
