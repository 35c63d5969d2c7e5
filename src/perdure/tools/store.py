"""Tools, stored. Built-in ones are rows as well, so that agents attach all tools alike."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, delete, func, select, update

from perdure.db.insert import insert_new
from perdure.db.lists import has_any
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import new_id, stable_id
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import Actor, is_owned, one, owned
from perdure.tenancy.tables import organizations
from perdure.tools.base import BuiltinTool
from perdure.tools.tables import tools

RETURN_CHAR_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool; the fields are the table's columns in order. `kind` is its `tool_type` on the wire."""

    id: str
    organization_id: str
    name: str
    kind: str
    description: str
    source_type: str | None
    source_code: str | None
    json_schema: Mapping[str, Any]
    args_json_schema: Mapping[str, Any] | None
    tags: Sequence[str]
    return_char_limit: int
    pip_requirements: Sequence[Mapping[str, Any]] | None
    npm_requirements: Sequence[Mapping[str, Any]] | None
    default_requires_approval: bool | None
    parallel: bool
    metadata: Mapping[str, Any] | None
    project_id: str | None
    created_by: str | None
    updated_by: str | None
    digest: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The JSON schema of its arguments."""
        return self.json_schema.get("parameters") or {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class ToolFilter:
    """What a caller asked to see of the tools; unset fields let everything pass."""

    name: str | None = None
    names: Sequence[str] = ()
    ids: Sequence[str] = ()
    search: str | None = None
    kinds: Sequence[str] = ()
    excluded_kinds: Sequence[str] = ()
    only_builtin: bool = False
    no_builtin: bool = False
    tags: Sequence[str] = ()


class ToolNotFound(NotFound):
    """No tool of the organization has this id."""

    def __init__(self, tool_id: str):
        super().__init__(f"There is no tool {tool_id}.")


def tool_row(row: Row[Any]) -> ToolRow:
    """A full row of the table."""
    return ToolRow(*row)


def get(conn: Connection, actor: Actor, tool_id: str) -> ToolRow:
    """The tool; raises `ToolNotFound`."""
    row = one(conn, tools, actor, tool_id)
    if row is None:
        raise ToolNotFound(tool_id)
    return tool_row(row)


def by_names(conn: Connection, actor: Actor, names: Sequence[str]) -> list[ToolRow]:
    """The tools of these names, in the order of the names; unknown ones are left out."""
    rows = conn.execute(owned(tools, actor).where(tools.c.name.in_(names))).all()
    found = {row.name: tool_row(row) for row in rows}
    return [found[name] for name in dict.fromkeys(names) if name in found]


def by_ids(conn: Connection, actor: Actor, ids: Sequence[str]) -> list[ToolRow]:
    """The tools of these ids; unknown ones are left out."""
    return [tool_row(row) for row in conn.execute(owned(tools, actor).where(tools.c.id.in_(ids)))]


def list_(conn: Connection, actor: Actor, page: Page, wanted: ToolFilter = ToolFilter()) -> list[ToolRow]:
    """One page of the tools."""
    query = _filtered(owned(tools, actor), wanted)
    return [tool_row(row) for row in paginate(conn, query, page, key=tools.c.created_at, id=tools.c.id)]


def all_(conn: Connection, actor: Actor, wanted: ToolFilter = ToolFilter()) -> list[ToolRow]:
    """All of the tools, newest first."""
    query = _filtered(owned(tools, actor), wanted).order_by(tools.c.created_at.desc(), tools.c.id.desc())
    return [tool_row(row) for row in conn.execute(query)]


def count(conn: Connection, actor: Actor, wanted: ToolFilter = ToolFilter()) -> int:
    """How many tools there are."""
    query = _filtered(owned(tools, actor), wanted).with_only_columns(func.count())
    return conn.execute(query).scalar_one()


def _filtered(query: Select[Any], wanted: ToolFilter) -> Select[Any]:
    builtin = tools.c.kind.startswith("letta_", autoescape=True)
    conditions = (
        (wanted.name, tools.c.name == wanted.name),
        (wanted.names, tools.c.name.in_(wanted.names)),
        (wanted.ids, tools.c.id.in_(wanted.ids)),
        (wanted.search, tools.c.name.icontains(wanted.search or "", autoescape=True)),
        (wanted.kinds, tools.c.kind.in_(wanted.kinds)),
        (wanted.excluded_kinds, tools.c.kind.not_in(wanted.excluded_kinds)),
        (wanted.only_builtin, builtin),
        (wanted.no_builtin, ~builtin),
        (wanted.tags, has_any(tools.c.tags, wanted.tags)),
    )
    return query.where(*(condition for asked, condition in conditions if asked))


def define(
    conn: Connection, actor: Actor, values: Mapping[str, Any], project_id: str | None = None
) -> tuple[ToolRow, bool]:
    """Store a tool that a user made under its name, and tell whether it is new.

    One of that name keeps its id, and what `values` does not name. Raises `InvalidArgument` where the
    name is that of a tool of another type.
    """
    name = values["name"]
    new, moment = new_id("tool"), now()
    if not by_names(conn, actor, [name]):
        fixed = {"id": new, "organization_id": actor.organization_id, "kind": "custom"}
        stamps = {"created_at": moment, "updated_at": moment}
        makers = {"created_by": actor.user_id, "updated_by": actor.user_id, "project_id": project_id}
        insert_new(conn, tools, [{"tags": [], **values, **fixed, **makers, **stamps}])
    row = by_names(conn, actor, [name])[0]
    if row.id == new:
        return row, True
    if row.kind != "custom":
        raise _taken(row)
    return change(conn, actor, row.id, values), False


def change(conn: Connection, actor: Actor, tool_id: str, values: Mapping[str, Any]) -> ToolRow:
    """Change some columns of a tool; raises `InvalidArgument` where its new name is another's."""
    others = by_names(conn, actor, [values["name"]] if "name" in values else [])
    if other := next((row for row in others if row.id != tool_id), None):
        raise _taken(other)
    stamped = {**values, "updated_by": actor.user_id, "updated_at": now()}
    mine = is_owned(tools, actor) & (tools.c.id == tool_id)
    if conn.execute(update(tools).where(mine).values(stamped)).rowcount == 0:
        raise ToolNotFound(tool_id)
    return get(conn, actor, tool_id)


def remove(conn: Connection, actor: Actor, tool_id: str) -> ToolRow:
    """Delete a tool, which leaves all agents; raises `InvalidArgument` for one of the server's own."""
    row = get(conn, actor, tool_id)
    if row.kind.startswith("letta_"):
        raise InvalidArgument(f"{row.name} is part of the server. Detach it from agents instead.")
    conn.execute(delete(tools).where(is_owned(tools, actor) & (tools.c.id == tool_id)))
    return row


def _taken(row: ToolRow) -> InvalidArgument:
    what = "part of the server" if row.kind.startswith("letta_") else f"a tool of type {row.kind} ({row.id})"
    return InvalidArgument(f"name: {row.name} is the name of {what}. Give the function another one.")


def sync_builtins(conn: Connection, organization_id: str, builtins: Iterable[BuiltinTool]) -> None:
    """Give an organization the built-in tools as they are in this version of the server.

    Rows that are up to date are not touched. A tool that users made keeps its name: a built-in one
    that comes later does not take it.
    """
    known = select(tools.c.name, tools.c.id, tools.c.digest).where(tools.c.organization_id == organization_id)
    existing = {row.name: row for row in conn.execute(known).all()}
    missing: list[dict[str, Any]] = []
    for builtin in builtins:
        row = existing.get(builtin.name)
        tool_id = builtin_id(organization_id, builtin.name)
        if row is None:
            missing.append(_new_row(organization_id, tool_id, builtin))
        elif row.id == tool_id and row.digest != _digest(builtin):
            conn.execute(
                update(tools).where(tools.c.id == row.id).values(**_columns(builtin), updated_at=now())
            )
    insert_new(conn, tools, missing)


def sync_all(conn: Connection, builtins: Sequence[BuiltinTool]) -> None:
    """The same for every organization; one query when all are up to date."""
    digests = [_digest(builtin) for builtin in builtins]
    others = tools.c.kind.not_in({builtin.kind for builtin in builtins})
    settled = (
        (tools.c.organization_id == organizations.c.id)
        & tools.c.name.in_([builtin.name for builtin in builtins])
        & (tools.c.digest.in_(digests) | others)
    )
    behind = (
        select(organizations.c.id)
        .join(tools, settled, isouter=True)
        .group_by(organizations.c.id)
        .having(func.count(tools.c.id) < len(builtins))
    )
    for organization_id in conn.execute(behind).scalars().all():
        sync_builtins(conn, organization_id, builtins)


def builtin_id(organization_id: str, name: str) -> str:
    """The id of a built-in tool in an organization: always the same, so that replicas agree."""
    return stable_id("tool", organization_id, name)


def _new_row(organization_id: str, tool_id: str, builtin: BuiltinTool) -> dict[str, Any]:
    moment = now()
    fixed = {
        "id": tool_id,
        "organization_id": organization_id,
        "return_char_limit": RETURN_CHAR_LIMIT,
        "created_at": moment,
        "updated_at": moment,
    }
    return {**fixed, **_columns(builtin)}


def _columns(builtin: BuiltinTool) -> dict[str, Any]:
    """What the code of a built-in tool says about its row."""
    return {
        "name": builtin.name,
        "kind": builtin.kind,
        "description": builtin.description,
        "source_type": "python",
        "source_code": builtin.source,
        "json_schema": builtin.schema,
        "tags": [builtin.kind],
        "parallel": builtin.parallel,
        "digest": _digest(builtin),
    }


def _digest(builtin: BuiltinTool) -> str:
    facts = [builtin.name, builtin.kind, builtin.schema, builtin.source, builtin.parallel]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
