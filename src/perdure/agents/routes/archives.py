"""An agent's archives, and what it remembers in them: its archival memory."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from perdure.agents import archives as links
from perdure.agents import store as agents
from perdure.agents.filters import AgentFilters, AskedSince, Included, list_agents
from perdure.agents.memories import list_memories, remove_memory
from perdure.agents.schemas.agent import AgentState, Message
from perdure.agents.state import states_of
from perdure.archives import store
from perdure.archives.archives import CurrentArchives
from perdure.archives.search_schemas import (
    MemoriesFound,
    PassageSearchRequest,
    PassageSearchResult,
    memory,
    result,
)
from perdure.db import Db
from perdure.kit.ids import AgentId, ArchiveId, PassageId
from perdure.kit.paging import MAX_LIMIT, Page, page_query
from perdure.passages import store as passages
from perdure.passages.schemas import CreatePassage, Passage, wire_passage
from perdure.passages.search import Found
from perdure.passages.store import PassageFilter
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor
from perdure.tools.dates import in_zone

router = APIRouter(tags=["agents"])
AGENT = "/v1/agents/{agent_id}"
TOP_K = 5
MEMORY = AGENT + "/archival-memory"


@router.patch(AGENT + "/archives/attach/{archive_id}")
async def attach_archive(
    *,
    agent_id: AgentId,
    archive_id: ArchiveId,
    db: Db,
    actor: CurrentActor,
    first: Annotated[bool, Query(description="Before the others: what the agent stores goes there.")] = False,
) -> None:
    """Attach an archive; an agent can have several, and stores what it remembers in the first."""
    await db.write(links.attach, actor, agent_id, archive_id, first=first)


@router.patch(AGENT + "/archives/detach/{archive_id}")
async def detach_archive(agent_id: AgentId, archive_id: ArchiveId, db: Db, actor: CurrentActor) -> None:
    """Detach an archive, which stays."""
    await db.write(links.detach, actor, agent_id, archive_id)


@router.get("/v1/archives/{archive_id}/agents", tags=["archives"])
async def list_agents_of_archive(
    *,
    archive_id: ArchiveId,
    include: Included,
    page: Annotated[Page, page_query(limit=50, order="desc")],
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    asked_since: AskedSince,
) -> list[AgentState]:
    """The agents that have an archive, hidden ones too."""
    await db.read(store.get, actor, archive_id)
    filters = AgentFilters(archive_id=archive_id, show_hidden_agents=True)
    found = await db.read(list_agents, actor, filters, page, include)
    return await states_of(models, actor, found, asked_since)


@router.get(MEMORY)
async def list_passages(
    *,
    agent_id: AgentId,
    db: Db,
    actor: CurrentActor,
    before: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    search: Annotated[str | None, Query(description="Part of the text, in any case.")] = None,
    ascending: Annotated[bool, Query(description="The oldest first.")] = True,
) -> list[Passage]:
    """What an agent remembers in its archives, by time."""
    page = Page(before, after, limit, "asc" if ascending else "desc")
    rows = await db.read(list_memories, actor, agent_id, page, PassageFilter(text=search))
    return [wire_passage(row) for row in rows]


@router.post(MEMORY)
async def create_passage(
    agent_id: AgentId, actor: CurrentActor, archives: CurrentArchives, body: CreatePassage
) -> list[Passage]:
    """Let an agent remember something; its first memory makes it an archive."""
    return [wire_passage(row) for row in await archives.remember(actor, agent_id, [body.new()])]


@router.get(MEMORY + "/search")
async def search_archival_memory(
    *,
    agent_id: AgentId,
    query: Annotated[str, Query(description="What to look for; nothing is found without a word.")],
    db: Db,
    actor: CurrentActor,
    archives: CurrentArchives,
    tags: Annotated[list[str] | None, Query()] = None,
    tag_match_mode: Literal["any", "all"] = "any",
    top_k: Annotated[int | None, Query(ge=1, le=100)] = None,
    start_datetime: Annotated[datetime | None, Query(description="Nothing before; of the agent.")] = None,
    end_datetime: Annotated[datetime | None, Query(description="Nothing after; of the agent.")] = None,
) -> MemoriesFound:
    """Search what an agent remembers, as its tool does. Times without a zone are in the agent's."""
    zone = (await db.read(agents.get, actor, agent_id)).timezone
    wanted = PassageFilter(
        tags=tags or (),
        match_all_tags=tag_match_mode == "all",
        start=in_zone("start_datetime", start_datetime, zone) if start_datetime else None,
        end=in_zone("end_datetime", end_datetime, zone) if end_datetime else None,
    )
    found = await archives.recall(actor, agent_id, query, wanted, top_k or TOP_K)
    return MemoriesFound(results=[memory(each, zone) for each in found], count=len(found))


@router.post("/v1/passages/search", tags=["passages"])
async def search_passages(
    db: Db, actor: CurrentActor, archives: CurrentArchives, body: PassageSearchRequest
) -> list[PassageSearchResult]:
    """Search the passages of an agent's archives, of one archive, or of all there are."""
    ids = await db.read(links.within, actor, body.agent_id, body.archive_id)
    wanted = replace(body.filter(), archive_ids=ids)
    if not (body.query or "").strip():
        page = Page(limit=body.limit, order="asc")
        return [result(Found(row)) for row in await db.read(passages.list_archived, actor, page, wanted)]
    found = await archives.search(actor, body.query or "", wanted, body.limit, body.search_mode)
    return [result(each) for each in found]


@router.delete(MEMORY + "/{memory_id}")
async def delete_passage(agent_id: AgentId, memory_id: PassageId, db: Db, actor: CurrentActor) -> Message:
    """Delete what an agent remembers; memories in archives it does not have are not found."""
    await db.write(remove_memory, actor, agent_id, memory_id)
    return Message(message=f"Passage {memory_id} was deleted.")
