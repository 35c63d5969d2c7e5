"""Groups as rows, and when the helper of one is to look at what was said."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, or_, select, update

from perdure.agents.groups.tables import groups
from perdure.db.prepared import Prepared
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import Actor, is_owned, one, owned

FREQUENCY = 5
# Turns are counted where they end; the one that makes as many as are wanted begins anew, at -1.
IS_DUE = groups.c.turns_counter + 2 >= groups.c.frequency
NOTE_TURN = Prepared(
    update(groups)
    .where(groups.c.manager_agent_id == bindparam("manager"))
    .values(
        turns_counter=case((IS_DUE, -1), else_=groups.c.turns_counter + 1),
        due=case((IS_DUE, bindparam("at", type_=groups.c.due.type)), else_=groups.c.due),
    )
)
SELECT_DUE = (
    select(groups.c.id)
    .where(groups.c.due <= bindparam("at", type_=groups.c.due.type))
    .order_by(groups.c.due)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group; the fields are the table's columns in order."""

    id: str
    organization_id: str
    manager_type: str
    manager_agent_id: str
    helper_agent_id: str
    persona_block_id: str
    description: str
    frequency: int | None
    turns_counter: int
    due: datetime | None
    look_message_id: str | None
    look_at: datetime | None
    look_run_id: str | None
    seen_message_id: str | None
    seen_at: datetime | None
    created_at: datetime
    updated_at: datetime


class GroupNotFound(NotFound):
    """No such group for this organization."""

    def __init__(self, group_id: str):
        super().__init__(f"There is no group {group_id}.")


def get(conn: Connection, actor: Actor, group_id: str) -> GroupRow:
    """The group; raises `GroupNotFound`."""
    row = one(conn, groups, actor, group_id)
    if row is None:
        raise GroupNotFound(group_id)
    return GroupRow(*row)


def managed_by(conn: Connection, agent_ids: Sequence[str]) -> dict[str, GroupRow]:
    """The groups of agents that somebody looks after, by the agents' ids."""
    query = select(groups).where(groups.c.manager_agent_id.in_(agent_ids))
    return {row.manager_agent_id: GroupRow(*row) for row in conn.execute(query)}


def helped_by(conn: Connection, agent_id: str) -> GroupRow | None:
    """The group in which an agent looks after another."""
    row = conn.execute(select(groups).where(groups.c.helper_agent_id == agent_id)).first()
    return GroupRow(*row) if row else None


def list_(
    conn: Connection, actor: Actor, page: Page, manager_type: str | None, agent_id: str | None = None
) -> list[GroupRow]:
    """A page of groups: all, or those that an agent is in."""
    query = owned(groups, actor)
    if manager_type:
        query = query.where(groups.c.manager_type == manager_type)
    if agent_id:
        in_it = or_(groups.c.manager_agent_id == agent_id, groups.c.helper_agent_id == agent_id)
        query = query.where(in_it)
    rows = paginate(conn, query, page, key=groups.c.created_at, id=groups.c.id)
    return [GroupRow(*row) for row in rows]


def count(conn: Connection, actor: Actor) -> int:
    """How many groups there are."""
    query = select(func.count()).select_from(groups).where(is_owned(groups, actor))
    return conn.execute(query).scalar_one()


def insert_group(conn: Connection, row: GroupRow) -> None:
    """Store a new group."""
    conn.execute(insert(groups).values(asdict(row)))


def change(conn: Connection, actor: Actor, group_id: str, values: Mapping[str, Any]) -> GroupRow:
    """Change some columns of a group."""
    mine = is_owned(groups, actor) & (groups.c.id == group_id)
    conn.execute(update(groups).where(mine).values({**values, "updated_at": now()}))
    return get(conn, actor, group_id)


def note_turn(conn: Connection, agent_id: str) -> None:
    """A turn of an agent with a helper has ended; after so many of them the helper is to look."""
    NOTE_TURN.later(conn, {"manager": agent_id, "at": now()})


def any_due(conn: Connection, at: datetime) -> bool:
    """Whether a helper is to look at something now."""
    return conn.execute(SELECT_DUE, {"at": at, "most": 1}).first() is not None


def take_due(conn: Connection, at: datetime, until: datetime, most: int) -> list[GroupRow]:
    """Groups whose helpers are to look now; nobody else gets them before `until`."""
    taken = groups.c.id.in_(SELECT_DUE.with_for_update(skip_locked=True))
    query = update(groups).where(taken).values(due=until).returning(*groups.c)
    return [GroupRow(*row) for row in conn.execute(query, {"at": at, "most": most})]


def note_look(conn: Connection, group: GroupRow, values: Mapping[str, Any]) -> None:
    """Note how a look went on, as long as it is this one's; what became due since stays so."""
    mine = groups.c.id == group.id
    kept = {name: value for name, value in values.items() if name != "due"}
    if kept:
        conn.execute(update(groups).where(mine).values(kept))
    if "due" in values:
        conn.execute(update(groups).where(mine, groups.c.due == group.due).values(due=values["due"]))
