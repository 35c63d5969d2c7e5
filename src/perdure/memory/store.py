"""Memory blocks, stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    column,
    delete,
    func,
    insert,
    select,
    table,
)
from sqlalchemy import (
    update as sql_update,
)
from sqlalchemy.exc import IntegrityError

from perdure.db.lists import has_all, has_any
from perdure.db.schema import Moment
from perdure.kit.clock import iso, now
from perdure.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.memory.tables import blocks
from perdure.memory.versions import store as versions
from perdure.memory.versions.store import BY_REQUEST, FIELDS, MADE, Cause, VersionRow
from perdure.memory.versions.walk import WALKS
from perdure.tenancy.actor import Actor, is_owned, one, owned

LIMIT = 100_000
DEFAULTS: Mapping[str, Any] = {
    "value": "",
    "limit": LIMIT,
    "description": None,
    "read_only": False,
    "metadata": {},
    "tags": [],
    "hidden": False,
    "is_template": False,
    "preserve_on_migration": False,
}
# The links of blocks to agents belong to `agents`; like a foreign key, this names their table only.
LINKS = table("agents_blocks", column("block_id"))
PAST_LINKS = table("agents_blocks_past", column("block_id"), column("until", Moment()))


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A memory block; the fields are the table's columns in order."""

    id: str
    organization_id: str
    label: str
    value: str
    limit: int
    description: str | None
    read_only: bool
    metadata: Mapping[str, Any]
    tags: Sequence[str]
    hidden: bool
    is_template: bool
    template_name: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    preserve_on_migration: bool
    project_id: str | None
    created_by: str | None
    updated_by: str | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """What a caller asked to see of the blocks; unset fields let everything pass.

    Templates are shown only when asked for, and then nothing else is; hidden blocks likewise never
    without `show_hidden`.
    """

    label: str | None = None
    template_name: str | None = None
    templates_only: bool = False
    project_id: str | None = None
    tags: Sequence[str] = ()
    match_all_tags: bool = False
    label_search: str | None = None
    value_search: str | None = None
    description_search: str | None = None
    agents_over: int | None = None
    agents_under: int | None = None
    agents_equal: Sequence[int] = ()
    show_hidden: bool = False


class BlockNotFound(NotFound):
    """No block of the organization has this id."""

    def __init__(self, block_id: str):
        super().__init__(f"There is no block {block_id}.")


class BlockTooLong(Unprocessable):
    """A value does not fit the limit of its block."""

    def __init__(self, label: str, length: int, limit: int):
        super().__init__(
            f"The value of block {label!r} would have {length} characters, {length - limit} over its limit "
            f"of {limit}. Shorten it or raise the limit."
        )


class BlockChanged(Conflict):
    """A block is not any more what a change was meant for."""

    def __init__(self, block: BlockRow, expected: int, last: VersionRow | None):
        by = ", ".join(who for who in (last.tool, last.run_id, last.user_id) if who) if last else "somebody"
        super().__init__(
            f"Block {block.label!r} is at version {block.version}, not {expected}: it was changed at "
            f"{iso(block.updated_at)} by {by}. Read it again, and make your change to what it says now.",
            version=block.version,
        )


def block_row(row: Row[Any]) -> BlockRow:
    """A full row of the table."""
    return BlockRow(*row)


def get(conn: Connection, actor: Actor, block_id: str) -> BlockRow:
    """The block; raises `BlockNotFound`."""
    row = one(conn, blocks, actor, block_id)
    if row is None:
        raise BlockNotFound(block_id)
    return block_row(row)


def by_ids(
    conn: Connection, actor: Actor, block_ids: Sequence[str], *, to_change: bool = False
) -> list[BlockRow]:
    """The blocks of these ids in their order; unknown ones are left out.

    `to_change` holds them until the transaction ends, so that two changes at once both count.
    """
    query = owned(blocks, actor).where(blocks.c.id.in_(block_ids))
    query = query.order_by(blocks.c.id).with_for_update() if to_change else query
    found = {row.id: block_row(row) for row in conn.execute(query).all()}
    return [found[block_id] for block_id in dict.fromkeys(block_ids) if block_id in found]


def at_time(conn: Connection, actor: Actor, block_id: str, at: datetime) -> BlockRow | None:
    """What a block was at a time; None before it was made, and once it was deleted.

    When it was made is not told: `created_at` is the time of that version, like `updated_at`.
    """
    version = versions.at_time(conn, actor, block_id, at)
    if version is None:
        return None
    row = version.row
    return BlockRow(
        id=row.block_id,
        organization_id=row.organization_id,
        **version.columns,
        updated_by=row.user_id,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.created_at,
    )


def list_(conn: Connection, actor: Actor, page: Page, wanted: BlockFilter = BlockFilter()) -> list[BlockRow]:
    """One page of the blocks."""
    query = _filtered(owned(blocks, actor), wanted)
    return [block_row(row) for row in paginate(conn, query, page, key=blocks.c.created_at, id=blocks.c.id)]


def count(conn: Connection, actor: Actor, wanted: BlockFilter = BlockFilter()) -> int:
    """How many blocks a list of the same filter has."""
    query = _filtered(owned(blocks, actor), wanted).with_only_columns(func.count())
    return conn.execute(query).scalar_one()


def _filtered(query: Select[Any], wanted: BlockFilter) -> Select[Any]:
    tags = has_all if wanted.match_all_tags else has_any
    agents = select(func.count()).where(LINKS.c.block_id == blocks.c.id).scalar_subquery()
    conditions = (
        (wanted.label, blocks.c.label == wanted.label),
        (wanted.template_name, blocks.c.template_name == wanted.template_name),
        (wanted.project_id, blocks.c.project_id == wanted.project_id),
        (wanted.tags, tags(blocks.c.tags, wanted.tags)),
        (wanted.label_search, blocks.c.label.icontains(wanted.label_search or "", autoescape=True)),
        (wanted.value_search, blocks.c.value.icontains(wanted.value_search or "", autoescape=True)),
        (
            wanted.description_search,
            blocks.c.description.icontains(wanted.description_search or "", autoescape=True),
        ),
        (wanted.agents_over is not None, agents > (wanted.agents_over or 0)),
        (wanted.agents_under is not None, agents < (wanted.agents_under or 0)),
        (wanted.agents_equal, agents.in_(wanted.agents_equal)),
        (not wanted.show_hidden, ~blocks.c.hidden),
    )
    query = query.where(*(condition for asked, condition in conditions if asked))
    return query.where(blocks.c.is_template == wanted.templates_only)


def create(conn: Connection, actor: Actor, values: Mapping[str, Any], cause: Cause = MADE) -> BlockRow:
    """Make a block of columns by name: a `label`, and what differs from the defaults."""
    row = {**storable(dict(values)), "id": new_id("block"), "created_by": actor.user_id, "version": 1}
    return _insert(conn, actor, row, None, cause)


def revive(
    conn: Connection,
    actor: Actor,
    block_id: str,
    values: Mapping[str, Any],
    deleted: versions.Version,
    cause: Cause,
) -> BlockRow:
    """Make a block again that was `deleted`, with these columns; no agent has it yet."""
    row = {**values, "id": block_id, "version": deleted.row.version + 1}
    return _insert(conn, actor, row, deleted.columns, cause)


def _insert(
    conn: Connection, actor: Actor, values: Mapping[str, Any], before: Mapping[str, Any] | None, cause: Cause
) -> BlockRow:
    moment = now()
    row: dict[str, Any] = {
        **dict.fromkeys(FIELDS),
        **DEFAULTS,
        **values,
        "organization_id": actor.organization_id,
        "updated_by": actor.user_id,
        "created_at": moment,
        "updated_at": moment,
    }
    _check_fits(row["label"], row["value"], row["limit"])
    conn.execute(insert(blocks).values(row))
    versions.record(conn, actor, row, before, cause)
    return get(conn, actor, row["id"])


def update(
    conn: Connection,
    actor: Actor,
    block_id: str,
    changes: Mapping[str, Any],
    cause: Cause = BY_REQUEST,
    expected_version: int | None = None,
) -> BlockRow:
    """Change columns by name; the one place where a block changes. Same values change nothing.

    Where a version is expected and the block has another one by now, raises `BlockChanged`.
    """
    block = held(conn, actor, block_id, expected_version)
    wanted = storable(dict(changes))
    changed = {name: value for name, value in wanted.items() if getattr(block, name) != value}
    if not changed and cause.action not in WALKS:
        return block
    label = changed.get("label", block.label)
    if {"value", "limit"} & set(changed):
        _check_fits(label, changed.get("value", block.value), changed.get("limit", block.limit))
    # Times of versions follow their numbers, whatever the clocks of several servers say.
    at = max(now(), block.updated_at)
    stamped = {"version": block.version + 1, "updated_by": actor.user_id, "updated_at": at}
    mine = is_owned(blocks, actor) & (blocks.c.id == block_id)
    try:
        conn.execute(sql_update(blocks).where(mine).values({**changed, **stamped}))
    except IntegrityError as error:
        raise Conflict(f"An agent of this block already has another one labelled {label!r}.") from error
    before = asdict(block)
    versions.record(conn, actor, {**before, **changed, **stamped}, before, cause)
    return get(conn, actor, block_id)


def held(conn: Connection, actor: Actor, block_id: str, expected_version: int | None = None) -> BlockRow:
    """A block that is about to change, held until the transaction ends, if it may change."""
    found = by_ids(conn, actor, [block_id], to_change=True)
    if not found:
        raise BlockNotFound(block_id)
    block = found[0]
    if actor.tool_of and block.read_only:
        raise Forbidden(f"Block {block.label!r} is read-only: tools cannot change it.")
    if expected_version is not None and expected_version != block.version:
        raise BlockChanged(block, expected_version, versions.last_row(conn, actor, block_id))
    return block


def set_value(
    conn: Connection,
    actor: Actor,
    block_id: str,
    value: str,
    cause: Cause = BY_REQUEST,
    expected_version: int | None = None,
) -> BlockRow:
    """Change what a block says."""
    return update(conn, actor, block_id, {"value": value}, cause, expected_version)


def remove(conn: Connection, actor: Actor, block_id: str, expected_version: int | None = None) -> None:
    """Delete a block; agents that had it have it no more.

    As long as one of them lives, its past shows the block, so its history stays; else that goes, too.
    """
    block = held(conn, actor, block_id, expected_version)
    at = max(now(), block.updated_at)
    conn.execute(delete(blocks).where(is_owned(blocks, actor), blocks.c.id == block_id))
    of_block = PAST_LINKS.c.block_id == block_id
    if conn.execute(select(PAST_LINKS.c.block_id).where(of_block).limit(1)).first() is None:
        versions.erase(conn, actor, [block_id])
        return
    conn.execute(sql_update(PAST_LINKS).where(of_block, PAST_LINKS.c.until.is_(None)).values(until=at))
    before = asdict(block)
    ended = {**before, "version": block.version + 1, "updated_at": at}
    versions.record(conn, actor, ended, before, Cause("delete"))


def _check_fits(label: str, value: str, limit: int) -> None:
    if len(value) > limit:
        raise BlockTooLong(label, len(value), limit)
