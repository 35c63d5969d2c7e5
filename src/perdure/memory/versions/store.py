"""Versions of blocks: written with each change, read as what the block was then.

A version holds what changed since the one before: a delta of the value, and the other fields that differ.
Every `SPAN` versions, and wherever the past begins, one is whole, so reading any version takes at most `SPAN`
small steps. For a block of 100,000 characters that is edited 3,000 times this takes some megabytes, where
whole values would take 300.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, String, cast, delete, func, insert, select

from perdure.db.rows import fields_of
from perdure.kit.errors import NotFound
from perdure.kit.ids import is_id
from perdure.kit.paging import Page, paginate
from perdure.memory.versions.delta import applied, delta
from perdure.memory.versions.tables import block_versions
from perdure.memory.versions.walk import WALKS, Step
from perdure.tenancy.actor import Actor, is_owned, owned

SPAN = 64
FIELDS = (
    "label",
    "limit",
    "description",
    "read_only",
    "metadata",
    "tags",
    "hidden",
    "is_template",
    "template_name",
    "template_id",
    "base_template_id",
    "deployment_id",
    "entity_id",
    "preserve_on_migration",
    "project_id",
    "created_by",
)
FLAGS = ("read_only", "hidden", "is_template", "preserve_on_migration")
BLANK: Mapping[str, Any] = {"value": "", "metadata": {}, "tags": [], **dict.fromkeys(FLAGS, False)}
Action = Literal["create", "update", "undo", "redo", "restore", "delete"]


class VersionNotFound(NotFound):
    """No such version of a block, or none any more."""

    def __init__(self, block_id: str, version: int):
        super().__init__(f"Block {block_id} has no version {version}; its history lists those there are.")


@dataclass(frozen=True, slots=True)
class Cause:
    """By what a block changes: a call of the API, or an agent's tool in a run; `of` is a version gone to."""

    action: Action = "update"
    of: int | None = None
    agent_id: str | None = None
    run_id: str | None = None
    tool: str | None = None


BY_REQUEST = Cause()
MADE = Cause("create")


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as it is stored; the fields are the table's columns in order."""

    block_id: str
    organization_id: str
    version: int
    action: Action
    of: int | None
    user_id: str | None
    agent_id: str | None
    run_id: str | None
    tool: str | None
    changed: Sequence[str]
    fields: Mapping[str, Any]
    value_delta: bytes | None
    chars: int
    created_at: datetime

    @property
    def step(self) -> Step:
        """It as a step of a walk by undo and redo."""
        return Step(self.version, self.action, self.of)


@dataclass(frozen=True, slots=True)
class Version:
    """A version, and what its block was: the value, and the other fields by name."""

    row: VersionRow
    value: str
    fields: Mapping[str, Any]

    @property
    def columns(self) -> dict[str, Any]:
        """What a block of this content has in its columns."""
        return {**self.fields, "value": self.value}


def record(
    conn: Connection,
    actor: Actor,
    block: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    cause: Cause = BY_REQUEST,
) -> None:
    """Write the version that a block has come to; `before` is the one before, both as columns by name."""
    version = block["version"]
    whole = before is None or _base(version) == version
    old: Mapping[str, Any] = {} if whole or before is None else before
    value, former = block["value"], old.get("value", "")
    row = VersionRow(
        block_id=block["id"],
        organization_id=block["organization_id"],
        version=version,
        action=cause.action,
        of=cause.of,
        user_id=actor.user_id,
        agent_id=cause.agent_id,
        run_id=cause.run_id or _run_of(actor),
        tool=cause.tool,
        changed=[name for name in ("value", *FIELDS) if block[name] != (before or BLANK).get(name)],
        fields={name: block[name] for name in FIELDS if name not in old or old[name] != block[name]},
        value_delta=delta(former, value) if value != former else None,
        chars=len(value),
        created_at=block["updated_at"],
    )
    conn.execute(insert(block_versions).values(columns_of(row)))


def columns_of(row: VersionRow) -> dict[str, Any]:
    """A version as a row of the table."""
    return {name: getattr(row, name) for name in fields_of(VersionRow)}


def versions(conn: Connection, actor: Actor, block_id: str, first: int, last: int) -> list[Version]:
    """The versions of a block from `first` to `last`, those that there are, oldest first."""
    table = block_versions.c
    query = owned(block_versions, actor).where(table.block_id == block_id)
    query = query.where(table.version.between(_base(first), last)).order_by(table.version)
    rows = [VersionRow(*row) for row in conn.execute(query)]
    return [version for version in replayed(rows) if version.row.version >= first]


def replayed(rows: Iterable[VersionRow]) -> Iterator[Version]:
    """What versions say, from a whole one on; each of the rows stands on the one before it."""
    value, fields = "", dict[str, Any]()
    for row in rows:
        if _base(row.version) == row.version:
            value, fields = "", {}
        value = value if row.value_delta is None else applied(value, row.value_delta)
        fields = {**fields, **row.fields}
        yield Version(row, value, fields)


def get(conn: Connection, actor: Actor, block_id: str, version: int) -> Version:
    """One version; raises `VersionNotFound`."""
    found = versions(conn, actor, block_id, version, version)
    if not found:
        raise VersionNotFound(block_id, version)
    return found[0]


def last_row(conn: Connection, actor: Actor, block_id: str) -> VersionRow | None:
    """The newest version as it is stored; None where nothing is known of such a block."""
    query = owned(block_versions, actor).where(block_versions.c.block_id == block_id)
    row = conn.execute(query.order_by(block_versions.c.version.desc()).limit(1)).first()
    return VersionRow(*row) if row else None


def list_(conn: Connection, actor: Actor, block_id: str, page: Page) -> list[VersionRow]:
    """A page of a block's versions; a cursor is a version's number."""
    query = owned(block_versions, actor).where(block_versions.c.block_id == block_id)
    number = block_versions.c.version
    return [VersionRow(*row) for row in paginate(conn, query, page, key=number, id=cast(number, String))]


def walked(conn: Connection, actor: Actor, block_id: str) -> list[Step]:
    """The last change that was no undo or redo, and all of those since."""
    table = block_versions.c
    mine = is_owned(block_versions, actor) & (table.block_id == block_id)
    change = select(func.max(table.version)).where(mine, table.action.not_in(WALKS)).scalar_subquery()
    query = owned(block_versions, actor).where(mine, table.version >= change).order_by(table.version)
    return [VersionRow(*row).step for row in conn.execute(query)]


def number_at(conn: Connection, actor: Actor, block_id: str, at: datetime) -> int | None:
    """The number of the version that a block had at a time."""
    table = block_versions.c
    mine = is_owned(block_versions, actor) & (table.block_id == block_id) & (table.created_at <= at)
    return conn.execute(select(func.max(table.version)).where(mine)).scalar_one()


def at_time(conn: Connection, actor: Actor, block_id: str, at: datetime) -> Version | None:
    """What a block was at a time; None before it was made, and once it was deleted."""
    number = number_at(conn, actor, block_id, at)
    found = None if number is None else get(conn, actor, block_id, number)
    return None if found is None or found.row.action == "delete" else found


def erase(conn: Connection, actor: Actor, block_ids: Sequence[str]) -> int:
    """Forget all versions of blocks; how many there were."""
    mine = is_owned(block_versions, actor) & block_versions.c.block_id.in_(block_ids)
    return conn.execute(delete(block_versions).where(mine)).rowcount


def _base(version: int) -> int:
    """The whole version on which one stands, if the past reaches so far."""
    return version - (version - 1) % SPAN


def _run_of(actor: Actor) -> str | None:
    """The run whose tool calls the API, if one does."""
    return actor.tool_of if actor.tool_of and is_id("run", actor.tool_of) else None
