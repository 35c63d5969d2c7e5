"""`/v1/blocks`: memory blocks by id. By label they are found under their agent."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from perdure.db import Db
from perdure.kit.ids import BlockId
from perdure.kit.paging import Page, page_query
from perdure.memory import store
from perdure.memory.expected import Expected, tagged
from perdure.memory.schemas import Block, CreateBlock, UpdateBlock, wire_block
from perdure.memory.store import BlockFilter
from perdure.tenancy.actor import CurrentActor

router = APIRouter(prefix="/v1/blocks", tags=["blocks"])


async def _filter(
    *,
    label: Annotated[str | None, Query(description="The blocks of this label.")] = None,
    templates_only: Annotated[bool, Query(description="Templates instead of other blocks.")] = False,
    name: Annotated[str | None, Query(description="The templates of this name.")] = None,
    project_id: str | None = None,
    tags: Annotated[list[str] | None, Query(description="Blocks with any of these tags.")] = None,
    match_all_tags: Annotated[bool, Query(description="Blocks with all of the tags.")] = False,
    label_search: Annotated[str | None, Query(description="Part of the label.")] = None,
    value_search: Annotated[str | None, Query(description="Part of the value.")] = None,
    description_search: Annotated[str | None, Query(description="Part of the description.")] = None,
    connected_to_agents_count_gt: Annotated[int | None, Query(description="More agents.")] = None,
    connected_to_agents_count_lt: Annotated[int | None, Query(description="Fewer agents.")] = None,
    connected_to_agents_count_eq: Annotated[
        list[int] | None, Query(description="One of these numbers of agents.")
    ] = None,
    show_hidden_blocks: Annotated[bool | None, Query(description="Hidden ones too.")] = None,
) -> BlockFilter:
    return BlockFilter(
        label=label,
        template_name=name,
        templates_only=templates_only,
        project_id=project_id,
        tags=tuple(tags or ()),
        match_all_tags=match_all_tags,
        label_search=label_search,
        value_search=value_search,
        description_search=description_search,
        agents_over=connected_to_agents_count_gt,
        agents_under=connected_to_agents_count_lt,
        agents_equal=tuple(connected_to_agents_count_eq or ()),
        show_hidden=bool(show_hidden_blocks),
    )


Filter = Annotated[BlockFilter, Depends(_filter)]


@router.get("/")
async def list_blocks(
    db: Db, actor: CurrentActor, page: Annotated[Page, page_query(order="asc")], wanted: Filter
) -> list[Block]:
    """The organization's blocks, oldest first."""
    return [wire_block(row) for row in await db.read(store.list_, actor, page, wanted)]


@router.post("/")
async def create_block(db: Db, actor: CurrentActor, body: CreateBlock) -> Block:
    """Make a block; an agent sees it once it is attached."""
    return wire_block(await db.write(store.create, actor, body.values()))


@router.get("/count")
async def count_blocks(db: Db, actor: CurrentActor, wanted: Filter) -> int:
    """How many blocks a list of the same filters would have."""
    return await db.read(store.count, actor, wanted)


@router.get("/{block_id}")
async def retrieve_block(db: Db, actor: CurrentActor, block_id: BlockId, response: Response) -> Block:
    """One block; its `ETag` can be the `If-Match` of a change."""
    return tagged(response, wire_block(await db.read(store.get, actor, block_id)))


@router.patch("/{block_id}")
async def update_block(
    block_id: BlockId, body: UpdateBlock, db: Db, actor: CurrentActor, expected: Expected, response: Response
) -> Block:
    """Change a block, for all agents that share it."""
    wanted = expected.of(body.expected_version)
    changed = await db.write(store.update, actor, block_id, body.changes(), expected_version=wanted)
    return tagged(response, wire_block(changed))


@router.delete("/{block_id}")
async def delete_block(db: Db, actor: CurrentActor, block_id: BlockId, expected: Expected) -> None:
    """Delete a block."""
    await db.write(store.remove, actor, block_id, expected.version)
