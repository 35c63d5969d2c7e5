"""Reading `/v1/tools`: what an organization's agents can be given."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from perdure.db import Db
from perdure.kit.ids import ToolId
from perdure.kit.paging import Page, page_query
from perdure.tenancy.actor import CurrentActor
from perdure.tools import store
from perdure.tools.schemas import Tool, known_types, tool_of
from perdure.tools.store import ToolFilter

router = APIRouter(prefix="/v1/tools", tags=["tools"])


async def _filter(
    *,
    name: Annotated[str | None, Query(description="The tool of this name.")] = None,
    names: Annotated[list[str] | None, Query(description="The tools of these names.")] = None,
    tool_ids: Annotated[list[str] | None, Query(description="Repeated, or separated by commas.")] = None,
    search: Annotated[str | None, Query(description="Part of a name, in any case.")] = None,
    tool_types: Annotated[list[str] | None, Query(description="Repeated, or separated by commas.")] = None,
    exclude_tool_types: Annotated[
        list[str] | None, Query(description="Repeated, or separated by commas.")
    ] = None,
    return_only_letta_tools: Annotated[bool | None, Query(description="Only built-in tools.")] = False,
) -> ToolFilter:
    return ToolFilter(
        name=name,
        names=tuple(names or ()),
        ids=_split(tool_ids),
        search=search,
        kinds=known_types("tool_types", _split(tool_types)),
        excluded_kinds=known_types("exclude_tool_types", _split(exclude_tool_types)),
        only_builtin=bool(return_only_letta_tools),
    )


Filter = Annotated[ToolFilter, Depends(_filter)]


@router.get("/")
async def list_tools(
    db: Db, actor: CurrentActor, page: Annotated[Page, page_query()], wanted: Filter
) -> list[Tool]:
    """The organization's tools."""
    return [tool_of(row) for row in await db.read(store.list_, actor, page, wanted)]


@router.get("/count")
async def count_tools(
    db: Db,
    actor: CurrentActor,
    wanted: Filter,
    exclude_letta_tools: Annotated[bool | None, Query(description="Leave built-in tools out.")] = False,
) -> int:
    """How many tools a list of the same filters would have."""
    return await db.read(store.count, actor, replace(wanted, no_builtin=bool(exclude_letta_tools)))


@router.get("/{tool_id}")
async def retrieve_tool(db: Db, actor: CurrentActor, tool_id: ToolId) -> Tool:
    """One tool."""
    return tool_of(await db.read(store.get, actor, tool_id))


def _split(values: Sequence[str] | None) -> tuple[str, ...]:
    """Values that came repeated, separated by commas, or both."""
    return tuple(part for value in values or () for piece in value.split(",") if (part := piece.strip()))
