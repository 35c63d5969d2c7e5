"""Memory blocks, stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound, Unprocessable
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.memory.tables import blocks
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


def create(conn: Connection, actor: Actor, values: Mapping[str, Any]) -> BlockRow:
    """Make a block of columns by name: a `label`, and what differs from the defaults."""
    moment = now()
    row: dict[str, Any] = {
        **DEFAULTS,
        **storable(dict(values)),
        "id": new_id("block"),
        "organization_id": actor.organization_id,
        "created_by": actor.user_id,
        "updated_by": actor.user_id,
        "version": 1,
        "created_at": moment,
        "updated_at": moment,
    }
    _check_fits(row["label"], row["value"], row["limit"])
    conn.execute(insert(blocks).values(row))
    return get(conn, actor, row["id"])


def update(conn: Connection, actor: Actor, block_id: str, changes: Mapping[str, Any]) -> BlockRow:
    """Change columns by name; the one place where a block changes. Same values change nothing."""
    found = by_ids(conn, actor, [block_id], to_change=True)
    if not found:
        raise BlockNotFound(block_id)
    block = found[0]
    wanted = storable(dict(changes))
    changed = {name: value for name, value in wanted.items() if getattr(block, name) != value}
    if not changed:
        return block
    label = changed.get("label", block.label)
    if {"value", "limit"} & set(changed):
        _check_fits(label, changed.get("value", block.value), changed.get("limit", block.limit))
    stamped = {"version": block.version + 1, "updated_by": actor.user_id, "updated_at": now()}
    mine = is_owned(blocks, actor) & (blocks.c.id == block_id)
    try:
        conn.execute(sql_update(blocks).where(mine).values({**changed, **stamped}))
    except IntegrityError as error:
        raise Conflict(f"An agent of this block already has another one labelled {label!r}.") from error
    return get(conn, actor, block_id)


def set_value(conn: Connection, actor: Actor, block_id: str, value: str) -> BlockRow:
    """Change what a block says."""
    return update(conn, actor, block_id, {"value": value})


def remove(conn: Connection, actor: Actor, block_id: str) -> None:
    """Delete a block; agents that had it have it no more."""
    mine = is_owned(blocks, actor) & (blocks.c.id == block_id)
    if conn.execute(delete(blocks).where(mine)).rowcount == 0:
        raise BlockNotFound(block_id)


def _check_fits(label: str, value: str, limit: int) -> None:
    if len(value) > limit:
        raise BlockTooLong(label, len(value), limit)
