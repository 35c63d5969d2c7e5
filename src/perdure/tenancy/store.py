"""Organizations and users, stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from perdure.db.insert import insert_new
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import DEFAULT_ORGANIZATION, DEFAULT_USER
from perdure.tenancy.tables import api_keys, organizations, users


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """A tenant; the fields are the table's columns in order, as in every row here."""

    id: str
    name: str
    privileged_tools: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class UserRow:
    """Someone of an organization, noted on what they make."""

    id: str
    organization_id: str
    name: str
    created_at: datetime
    updated_at: datetime


class OrganizationNotFound(NotFound):
    """No organization has this id."""

    def __init__(self, organization_id: str):
        super().__init__(f"No organization has the id {organization_id}.")


class UserNotFound(NotFound):
    """No user has this id, or one of another organization."""

    def __init__(self, user_id: str):
        super().__init__(f"No user has the id {user_id}.")


def ensure_organization(conn: Connection, id: str, name: str) -> None:
    """Make the organization unless it is there."""
    row = {"id": id, "name": name, "privileged_tools": False, **_stamped()}
    insert_new(conn, organizations, [row])


def ensure_defaults(conn: Connection) -> None:
    """Make the organization and the user of callers who name none."""
    ensure_organization(conn, DEFAULT_ORGANIZATION, "Default organization")
    user = {"id": DEFAULT_USER, "organization_id": DEFAULT_ORGANIZATION, "name": "Default user"}
    insert_new(conn, users, [{**user, **_stamped()}])


def create_organization(
    conn: Connection, name: str | None = None, *, privileged_tools: bool = False
) -> OrganizationRow:
    """Make an organization; without a name it is called after its id."""
    made = new_id("org")
    values = {"id": made, "name": name or f"Organization {made[4:12]}", "privileged_tools": privileged_tools}
    conn.execute(insert(organizations).values(**values, **_stamped()))
    return get_organization(conn, made)


def get_organization(conn: Connection, organization_id: str) -> OrganizationRow:
    """The organization; raises `OrganizationNotFound`."""
    row = conn.execute(select(organizations).where(organizations.c.id == organization_id)).first()
    if row is None:
        raise OrganizationNotFound(organization_id)
    return _organization(row)


def list_organizations(conn: Connection, page: Page) -> list[OrganizationRow]:
    """One page of all organizations."""
    key = organizations.c.created_at
    rows = paginate(conn, select(organizations), page, key=key, id=organizations.c.id)
    return [_organization(row) for row in rows]


def update_organization(conn: Connection, organization_id: str, **values: Any) -> OrganizationRow:
    """Change an organization's `name` or `privileged_tools`."""
    mine = organizations.c.id == organization_id
    conn.execute(update(organizations).where(mine).values(**values, updated_at=now()))
    return get_organization(conn, organization_id)


def delete_organization(conn: Connection, organization_id: str) -> OrganizationRow:
    """Delete an organization with everything it owns; returns what it was."""
    if organization_id == DEFAULT_ORGANIZATION:
        raise Conflict("The default organization cannot be deleted; delete what it owns instead.")
    row = get_organization(conn, organization_id)
    conn.execute(delete(organizations).where(organizations.c.id == organization_id))
    return row


def create_user(conn: Connection, organization_id: str, name: str) -> UserRow:
    """Make a user of an organization."""
    get_organization(conn, organization_id)
    values = {"id": new_id("user"), "organization_id": organization_id, "name": name}
    conn.execute(insert(users).values(**values, **_stamped()))
    return get_user(conn, values["id"])


def get_user(conn: Connection, user_id: str) -> UserRow:
    """The user, of whatever organization; raises `UserNotFound`."""
    row = conn.execute(select(users).where(users.c.id == user_id)).first()
    if row is None:
        raise UserNotFound(user_id)
    return _user(row)


def list_users(conn: Connection, page: Page) -> list[UserRow]:
    """One page of the users of all organizations."""
    rows = paginate(conn, select(users), page, key=users.c.created_at, id=users.c.id)
    return [_user(row) for row in rows]


def update_user(conn: Connection, user_id: str, **values: Any) -> UserRow:
    """Change a user's `name`, or move the user to another `organization_id`, which ends its keys."""
    if "organization_id" in values:
        target = values["organization_id"]
        get_organization(conn, target)
        left = api_keys.c.organization_id != target
        conn.execute(delete(api_keys).where(api_keys.c.user_id == user_id, left))
    conn.execute(update(users).where(users.c.id == user_id).values(**values, updated_at=now()))
    return get_user(conn, user_id)


def delete_user(conn: Connection, user_id: str) -> UserRow:
    """Delete a user with its keys; what it made stays. Returns what it was."""
    if user_id == DEFAULT_USER:
        raise Conflict("The default user cannot be deleted: requests that name no user act as it.")
    row = get_user(conn, user_id)
    conn.execute(delete(users).where(users.c.id == user_id))
    return row


def _stamped() -> dict[str, datetime]:
    moment = now()
    return {"created_at": moment, "updated_at": moment}


def _organization(row: Row[Any]) -> OrganizationRow:
    return OrganizationRow(*row)


def _user(row: Row[Any]) -> UserRow:
    return UserRow(*row)
