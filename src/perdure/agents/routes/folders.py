"""Folders as agents see them: attach and detach, upload, open and close; and who sees a folder."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from perdure.agents import folder_links as links
from perdure.agents import store as agents
from perdure.agents.folders import opening, store
from perdure.agents.folders.limits import FileLimits, limits_of
from perdure.agents.folders.listing import attached_page
from perdure.agents.folders.opening import Opening
from perdure.agents.folders.wire import file_id_of
from perdure.agents.schemas.agent import AgentState, Message
from perdure.agents.schemas.files import AttachedFiles
from perdure.agents.state import read_state
from perdure.db import Db
from perdure.files import folders
from perdure.files.embedding import CurrentEmbedding
from perdure.files.routes import FOLDERS, SOURCES
from perdure.files.schemas import File, Folder, wire_file, wire_folder
from perdure.files.store import Duplicates
from perdure.files.upload import receive, take
from perdure.kit.ids import AgentId, FileId, FolderId
from perdure.kit.paging import Page, page_query
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor

router = APIRouter(tags=["folders"])
AGENT = "/v1/agents/{agent_id}"
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post(FOLDERS + "/{folder_id}/upload", openapi_extra=FORM)
@router.post(SOURCES + "/{folder_id}/upload", openapi_extra=FORM, deprecated=True)
async def upload_file(
    *,
    request: Request,
    response: Response,
    folder_id: FolderId,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    duplicate_handling: Annotated[
        Duplicates, Query(description="What to do when the folder has a file of this name.")
    ] = "suffix",
    name: Annotated[str | None, Query(description="A name in place of the upload's own.")] = None,
) -> File:
    """Upload a file. It is read in the background and opened for the agents that see the folder.

    `X-Upload-Result` says whether it was uploaded, replaced another, or was skipped.
    """
    await db.read(folders.get, actor, folder_id)
    upload = await receive(request, request.app.state.settings.files.max_bytes)
    try:
        seen_by = await db.read(store.agents_of, actor, folder_id)
        limits = await limits_of(models, actor, seen_by)
        add = partial(links.add_file, limits=limits)
        stored = await take(db, actor, folder_id, upload, name, duplicate_handling, add)
    finally:
        await upload.file.close()
    request.app.state.parser.wake()
    response.headers["x-upload-result"] = stored.result
    return wire_file(stored.file)


@router.delete(FOLDERS + "/{folder_id}")
@router.delete(SOURCES + "/{folder_id}", deprecated=True)
async def delete_folder(db: Db, actor: CurrentActor, folder_id: FolderId) -> None:
    """Delete a folder with its files; agents that saw it see it no more."""
    await db.write(links.delete_folder, actor, folder_id)


@router.get(FOLDERS + "/{folder_id}/agents")
@router.get(SOURCES + "/{folder_id}/agents", deprecated=True)
async def list_agents_of_folder(
    db: Db,
    actor: CurrentActor,
    folder_id: FolderId,
    page: Annotated[Page, page_query(limit=50, order="desc")],
) -> list[str]:
    """The ids of the agents that see a folder."""
    await db.read(folders.get, actor, folder_id)
    return await db.read(store.agent_ids_page, actor, folder_id, page)


@router.get(AGENT + "/folders", tags=["agents"])
@router.get(AGENT + "/sources", tags=["agents"], deprecated=True)
async def list_folders(
    agent_id: AgentId,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    db: Db,
    actor: CurrentActor,
    embedding: CurrentEmbedding,
) -> list[Folder]:
    """A page of an agent's folders, by when they were attached."""
    await db.read(agents.get, actor, agent_id)
    rows = await db.read(store.folders_page, agent_id, page)
    return [wire_folder(row, await embedding.config(actor, row.embedding)) for row in rows]


@router.patch(AGENT + "/folders/attach/{folder_id}", tags=["agents"])
@router.patch(AGENT + "/sources/attach/{folder_id}", tags=["agents"], deprecated=True)
async def attach_folder(
    agent_id: AgentId, folder_id: FolderId, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Attach a folder, with the file tools; nothing changes if it is attached already."""
    limits = await _limits(db, actor, models, agent_id)
    await db.write(links.attach_folder, actor, agent_id, folder_id, limits)
    return await read_state(db, models, actor, agent_id)


@router.patch(AGENT + "/folders/detach/{folder_id}", tags=["agents"])
@router.patch(AGENT + "/sources/detach/{folder_id}", tags=["agents"], deprecated=True)
async def detach_folder(
    agent_id: AgentId, folder_id: FolderId, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Detach a folder, which stays; the file tools go with the last one."""
    await db.write(links.detach_folder, actor, agent_id, folder_id)
    return await read_state(db, models, actor, agent_id)


@router.get(AGENT + "/files", tags=["agents"])
async def list_files(
    *,
    agent_id: AgentId,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    cursor: Annotated[str | None, Query(description="The same as `after`.")] = None,
    is_open: Annotated[bool | None, Query(description="Only open files, or only closed ones.")] = None,
) -> AttachedFiles:
    """A page of the files of an agent's folders, open or not, and what it sees of them."""
    limits = await _limits(db, actor, models, agent_id)
    wanted = Page(
        file_id_of(page.before), file_id_of(page.after or cursor), page.limit + 1, page.order, page.order_by
    )
    return await db.read(attached_page, agent_id, wanted, is_open, limits.characters)


@router.patch(AGENT + "/files/close-all", tags=["agents"])
async def close_all_files(agent_id: AgentId, db: Db, actor: CurrentActor) -> list[str]:
    """Close all files of an agent; their names."""
    return await db.write(opening.close_all, actor, agent_id)


@router.patch(AGENT + "/files/{file_id}/open", tags=["agents"])
async def open_file(
    agent_id: AgentId, file_id: FileId, db: Db, actor: CurrentActor, models: CurrentModels
) -> list[str]:
    """Open a file for an agent; the names of those that were closed for it."""
    limits = await _limits(db, actor, models, agent_id)
    return await db.write(opening.open_files, actor, agent_id, [Opening(file_id)], limits.files)


@router.patch(AGENT + "/files/{file_id}/close", tags=["agents"])
async def close_file(agent_id: AgentId, file_id: FileId, db: Db, actor: CurrentActor) -> Message:
    """Close a file of an agent."""
    name = await db.write(opening.close_file, actor, agent_id, file_id)
    return Message(message=f"File {name} is closed.")


async def _limits(db: Db, actor: CurrentActor, models: CurrentModels, agent_id: str) -> FileLimits:
    agent = await db.read(agents.get, actor, agent_id)
    return (await limits_of(models, actor, [agent]))[agent_id]
