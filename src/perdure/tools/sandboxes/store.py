"""Sandbox configurations and their variables, stored. One configuration for each type of sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from perdure.db.insert import insert_new
from perdure.db.prepared import Prepared
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.tenancy.actor import Actor, is_owned, one, owned
from perdure.tools.sandboxes.tables import sandbox_configs, sandbox_variables

VARIABLES = sandbox_variables.name
MAX_VARIABLES, MAX_CHARS = 1_000, 2_000_000  # of one configuration; its characters as they are sealed


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """A configuration; the fields are the table's columns in order."""

    id: str
    organization_id: str
    type: str
    config: Mapping[str, Any]
    created_by: str | None
    updated_by: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class VariableRow:
    """A variable with its value sealed; the fields are the table's columns in order."""

    id: str
    organization_id: str
    sandbox_config_id: str
    key: str
    value: str = field(repr=False)
    description: str | None
    created_by: str | None
    updated_by: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Sandboxed:
    """What counts for all tools of an organization: its configuration, and its variables sealed."""

    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    variables: Sequence[tuple[str, str, str]] = ()  # id, key, sealed value


class ConfigNotFound(NotFound):
    """No configuration of the organization has this id."""

    def __init__(self, config_id: str):
        super().__init__(f"There is no sandbox configuration {config_id}.")


class VariableNotFound(NotFound):
    """No variable of the organization has this id."""

    def __init__(self, variable_id: str):
        super().__init__(f"There is no variable {variable_id} of a sandbox configuration.")


SANDBOXED = Prepared(
    select(
        sandbox_configs.c.config, sandbox_variables.c.id, sandbox_variables.c.key, sandbox_variables.c.value
    )
    .join_from(sandbox_configs, sandbox_variables, isouter=True)
    .where(
        sandbox_configs.c.organization_id == bindparam("organization_id"),
        sandbox_configs.c.type == bindparam("type"),
    )
)


def sandboxed(conn: Connection, actor: Actor, type: str) -> Sandboxed:
    """What all tools of the organization have in sandboxes of a type."""
    rows = SANDBOXED.all(conn, {"organization_id": actor.organization_id, "type": type})
    if not rows:
        return Sandboxed()
    return Sandboxed(rows[0][0], [(id, key, value) for _, id, key, value in rows if id])


def get(conn: Connection, actor: Actor, config_id: str) -> ConfigRow:
    """The configuration; raises `ConfigNotFound`."""
    row = one(conn, sandbox_configs, actor, config_id)
    if row is None:
        raise ConfigNotFound(config_id)
    return ConfigRow(*row)


def list_(conn: Connection, actor: Actor, page: Page, type: str | None = None) -> list[ConfigRow]:
    """A page of the organization's configurations."""
    query = owned(sandbox_configs, actor)
    query = query.where(sandbox_configs.c.type == type) if type else query
    key, id = sandbox_configs.c.created_at, sandbox_configs.c.id
    return [ConfigRow(*row) for row in paginate(conn, query, page, key=key, id=id)]


def ensure(conn: Connection, actor: Actor, type: str, config: Mapping[str, Any]) -> ConfigRow:
    """The configuration of a type; made of `config` where there is none."""
    moment = now()
    values = {
        "id": new_id("sandbox"),
        "organization_id": actor.organization_id,
        "type": type,
        "config": storable(dict(config)),
        "created_by": actor.user_id,
        "updated_by": actor.user_id,
        "created_at": moment,
        "updated_at": moment,
    }
    insert_new(conn, sandbox_configs, [values])
    mine = owned(sandbox_configs, actor).where(sandbox_configs.c.type == type)
    return ConfigRow(*conn.execute(mine).one())


def set_config(conn: Connection, actor: Actor, type: str, config: Mapping[str, Any]) -> ConfigRow:
    """Put a configuration in the place of its type's."""
    return change(conn, actor, ensure(conn, actor, type, config).id, config)


def change(conn: Connection, actor: Actor, config_id: str, config: Mapping[str, Any]) -> ConfigRow:
    """Change what a configuration says."""
    row = get(conn, actor, config_id)
    if row.config == config:
        return row
    stamped = {"config": storable(dict(config)), "updated_by": actor.user_id, "updated_at": now()}
    conn.execute(update(sandbox_configs).where(sandbox_configs.c.id == row.id).values(stamped))
    return get(conn, actor, config_id)


def remove(conn: Connection, actor: Actor, config_id: str) -> None:
    """Delete a configuration with its variables."""
    get(conn, actor, config_id)
    conn.execute(delete(sandbox_configs).where(sandbox_configs.c.id == config_id))


def variables(conn: Connection, actor: Actor, config_id: str, page: Page) -> list[VariableRow]:
    """A page of a configuration's variables."""
    get(conn, actor, config_id)
    query = owned(sandbox_variables, actor).where(sandbox_variables.c.sandbox_config_id == config_id)
    key, id = sandbox_variables.c.created_at, sandbox_variables.c.id
    return [VariableRow(*row) for row in paginate(conn, query, page, key=key, id=id)]


def get_variable(conn: Connection, actor: Actor, variable_id: str) -> VariableRow:
    """The variable; raises `VariableNotFound`."""
    row = one(conn, sandbox_variables, actor, variable_id)
    if row is None:
        raise VariableNotFound(variable_id)
    return VariableRow(*row)


def add_variable(
    conn: Connection, actor: Actor, variable_id: str, config_id: str, values: Mapping[str, Any]
) -> VariableRow:
    """Store a new variable with a sealed `value`; raises `Conflict` where the key is taken or it is full."""
    get(conn, actor, config_id)
    _check_room(conn, config_id, values["value"])
    moment = now()
    row = {
        "id": variable_id,
        "organization_id": actor.organization_id,
        "sandbox_config_id": config_id,
        "description": None,
        **values,
        "created_by": actor.user_id,
        "updated_by": actor.user_id,
        "created_at": moment,
        "updated_at": moment,
    }
    try:
        conn.execute(insert(sandbox_variables).values(row))
    except IntegrityError as error:
        raise _taken(str(values["key"])) from error
    return get_variable(conn, actor, variable_id)


def change_variable(
    conn: Connection, actor: Actor, variable_id: str, values: Mapping[str, Any]
) -> VariableRow:
    """Change columns of a variable by name."""
    row = get_variable(conn, actor, variable_id)
    if "value" in values:
        _check_room(conn, row.sandbox_config_id, values["value"], but=variable_id)
    mine = is_owned(sandbox_variables, actor) & (sandbox_variables.c.id == variable_id)
    stamped = {**values, "updated_by": actor.user_id, "updated_at": now()}
    try:
        conn.execute(update(sandbox_variables).where(mine).values(stamped))
    except IntegrityError as error:
        raise _taken(str(values["key"])) from error
    return get_variable(conn, actor, variable_id)


def remove_variable(conn: Connection, actor: Actor, variable_id: str) -> None:
    """Delete a variable."""
    get_variable(conn, actor, variable_id)
    mine = is_owned(sandbox_variables, actor) & (sandbox_variables.c.id == variable_id)
    conn.execute(delete(sandbox_variables).where(mine))


def _check_room(conn: Connection, config_id: str, sealed: str, but: str = "") -> None:
    """Raise `Conflict` where a configuration has no room for a value beside those of its other variables."""
    others = (sandbox_variables.c.sandbox_config_id == config_id) & (sandbox_variables.c.id != but)
    told = func.count(), func.coalesce(func.sum(func.length(sandbox_variables.c.value)), 0)
    count, chars = conn.execute(select(*told).where(others)).one()
    if count >= MAX_VARIABLES or chars + len(sealed) > MAX_CHARS:
        raise Conflict(
            f"A sandbox configuration has room for {MAX_VARIABLES} variables, and for {MAX_CHARS // 4 * 3} "
            "bytes of them. Delete some, or give tools what is large in another way."
        )


def _taken(key: str) -> Conflict:
    return Conflict(f"There is a variable {key!r} already; change that one, or delete it first.")
