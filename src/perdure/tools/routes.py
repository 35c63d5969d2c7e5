"""`/v1/tools`: what an organization's agents can be given."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from perdure.db import Db
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import ToolId
from perdure.kit.paging import Page, page_query
from perdure.tenancy.actor import CurrentActor
from perdure.tools import store
from perdure.tools.base import BuiltinTool
from perdure.tools.schemas import TOOL_TYPES, Tool, tool_of
from perdure.tools.store import ToolFilter

router = APIRouter(prefix="/v1/tools", tags=["tools"])


async def _builtins(request: Request) -> Sequence[BuiltinTool]:
    return request.app.state.dispatcher.builtins


Builtins = Annotated[Sequence[BuiltinTool], Depends(_builtins)]


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
        kinds=_types("tool_types", tool_types),
        excluded_kinds=_types("exclude_tool_types", exclude_tool_types),
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


@router.post("/add-base-tools")
async def add_base_tools(db: Db, actor: CurrentActor, builtins: Builtins) -> list[Tool]:
    """Bring the built-in tools up to date; they are kept so anyway."""
    await db.write(store.sync_builtins, actor.organization_id, builtins)
    names = [builtin.name for builtin in builtins]
    return [tool_of(row) for row in await db.read(store.by_names, actor, names)]


@router.get("/{tool_id}")
async def retrieve_tool(db: Db, actor: CurrentActor, tool_id: ToolId) -> Tool:
    """One tool."""
    return tool_of(await db.read(store.get, actor, tool_id))


def _split(values: Sequence[str] | None) -> tuple[str, ...]:
    """Values that came repeated, separated by commas, or both."""
    return tuple(part for value in values or () for piece in value.split(",") if (part := piece.strip()))


def _types(field: str, values: Sequence[str] | None) -> tuple[str, ...]:
    kinds = _split(values)
    if unknown := [kind for kind in kinds if kind not in TOOL_TYPES]:
        raise InvalidArgument(
            f"{field}: there is no tool type {', '.join(unknown)}. Types: {', '.join(TOOL_TYPES)}."
        )
    return kinds
