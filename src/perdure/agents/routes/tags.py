"""The tags of agents."""

from typing import Annotated

from fastapi import APIRouter, Query

from perdure.agents.tags import list_tags
from perdure.db import Db
from perdure.kit.paging import Page, page_query
from perdure.tenancy.actor import CurrentActor

router = APIRouter(prefix="/v1/tags", tags=["tags"])


@router.get("/")
async def list_all(
    *,
    page: Annotated[Page, page_query(limit=50, order="asc")],
    db: Db,
    actor: CurrentActor,
    name: Annotated[str | None, Query(description="Part of the tag, in any case.")] = None,
    query_text: Annotated[str | None, Query(json_schema_extra={"deprecated": True})] = None,
) -> list[str]:
    """A page of the tags in use, by name; the cursors are tags."""
    return await db.read(list_tags, actor, page, name or query_text)
