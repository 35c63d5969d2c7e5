"""`/v1/blocks/{id}/history`: versions, differences, and the ways back and forth."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from perdure.db import Db
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import BlockId
from perdure.kit.paging import Page, page_query
from perdure.memory.expected import Expected
from perdure.memory.history import change, diff
from perdure.memory.history.change import Target
from perdure.memory.history.schemas import (
    BlockContent,
    BlockDiff,
    BlockVersion,
    ChangedLines,
    ChangeOfPast,
    RestoreBlock,
    fields_between,
    wire_content,
    wire_version,
)
from perdure.memory.schemas import Block, wire_block
from perdure.memory.store import BlockNotFound
from perdure.memory.versions import store
from perdure.memory.versions.store import Version
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1/blocks/{block_id}/history", tags=["blocks"])
MOST_CONTENTS = 100


@router.get("")
async def list_versions(
    block_id: BlockId,
    page: Annotated[Page, page_query(limit=50, order="desc")],
    db: Db,
    actor: CurrentActor,
    include_content: Annotated[
        bool, Query(description="What the block was in each version, too: pages of 100 at the most.")
    ] = False,
) -> Sequence[BlockContent | BlockVersion]:
    """The changes of a block, the newest first. A deleted block has them as long as an agent that had it."""
    if not include_content:
        return [wire_version(row) for row in await db.read(_listed, actor, block_id, page)]
    if page.limit > MOST_CONTENTS:
        raise InvalidArgument(f"limit: at most {MOST_CONTENTS} versions at once have their content included.")
    return [wire_content(version) for version in await db.read(_contents, actor, block_id, page)]


@router.get("/diff")
async def diff_versions(
    block_id: BlockId,
    db: Db,
    actor: CurrentActor,
    from_version: Annotated[int | None, Query(description="By default the one before.")] = None,
    to_version: Annotated[int | None, Query(description="By default the newest.")] = None,
) -> BlockDiff:
    """What differs between two versions; without any, what the last change did."""
    before, after = await db.read(_both, actor, block_id, from_version, to_version)
    return await asyncio.to_thread(_compared, before, after)


@router.post("/undo")
async def undo(
    block_id: BlockId, db: Db, actor: CurrentActor, expected: Expected, body: ChangeOfPast | None = None
) -> Block:
    """Undo the last change that stands, by a new version; again and again down to the first."""
    wanted = expected.of(body and body.expected_version)
    return wire_block(await db.write(change.undo, actor, block_id, wanted))


@router.post("/redo")
async def redo(
    block_id: BlockId, db: Db, actor: CurrentActor, expected: Expected, body: ChangeOfPast | None = None
) -> Block:
    """Take the last undo back; a change since then leaves nothing to redo."""
    wanted = expected.of(body and body.expected_version)
    return wire_block(await db.write(change.redo, actor, block_id, wanted))


@router.post("/restore")
async def restore(
    block_id: BlockId, body: RestoreBlock, db: Db, actor: CurrentActor, expected: Expected
) -> Block:
    """Make a block what it was in a version or at a time; a deleted one is there again, attached to none."""
    target, wanted = Target(body.version, body.at), expected.of(body.expected_version)
    return wire_block(await db.write(change.restore, actor, block_id, target, wanted))


@router.delete("")
async def erase_history(block_id: BlockId, db: Db, actor: CurrentActor) -> None:
    """Erase a block's past for good, of a deleted one all of it; what a block is now stays."""
    await db.write(change.forget, actor, block_id)


@router.get("/{version}")
async def retrieve_version(block_id: BlockId, version: int, db: Db, actor: CurrentActor) -> BlockContent:
    """A change, and what the block was after it."""
    return wire_content(await db.read(store.get, actor, block_id, version))


def _listed(conn: Connection, actor: Actor, block_id: str, page: Page) -> list[store.VersionRow]:
    rows = store.list_(conn, actor, block_id, page)
    if not rows and store.last_row(conn, actor, block_id) is None:
        raise BlockNotFound(block_id)
    return rows


def _contents(conn: Connection, actor: Actor, block_id: str, page: Page) -> list[Version]:
    numbers = [row.version for row in _listed(conn, actor, block_id, page)]
    found = store.versions(conn, actor, block_id, min(numbers), max(numbers)) if numbers else []
    return found if page.order == "asc" else found[::-1]


def _both(
    conn: Connection, actor: Actor, block_id: str, first: int | None, second: int | None
) -> tuple[Version, Version]:
    """The versions to compare, each replayed for itself."""
    newest = change.latest(conn, actor, block_id)
    after = newest if second is None else store.get(conn, actor, block_id, second)
    if first is None and after.row.version == 1:
        raise NotFound(f"Block {block_id} has no version before its first; say from_version.")
    before = store.get(conn, actor, block_id, after.row.version - 1 if first is None else first)
    return before, after


def _compared(before: Version, after: Version) -> BlockDiff:
    old, new = before.value, after.value
    names = f"version {before.row.version}", f"version {after.row.version}"
    found = diff.parts(old, new)
    return BlockDiff(
        block_id=after.row.block_id,
        from_version=before.row.version,
        to_version=after.row.version,
        unified=diff.unified(old, new, *names),
        lines=[
            ChangedLines(
                old_line=part.old_line, old=list(part.old), new_line=part.new_line, new=list(part.new)
            )
            for part in found
        ],
        fields=fields_between(before, after),
    )
