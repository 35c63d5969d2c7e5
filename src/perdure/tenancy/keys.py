"""API keys: made once and shown once, kept as a digest, found by their public beginning."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select

from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.kit.ids import new_id
from perdure.tenancy.actor import DEFAULT_ORGANIZATION, DEFAULT_USER, Actor
from perdure.tenancy.keyring import KeyRing
from perdure.tenancy.store import get_organization, get_user
from perdure.tenancy.tables import api_keys

SCHEME = "perdure"
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key without its secret; the fields are the table's columns in order."""

    id: str
    organization_id: str
    user_id: str | None
    name: str
    prefix: str
    digest: str
    digest_key: str
    admin: bool
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def actor(self) -> Actor:
        """Who speaks with this key."""
        return Actor(self.organization_id, self.user_id or DEFAULT_USER, self.admin)


def create_key(
    conn: Connection,
    ring: KeyRing,
    name: str,
    *,
    organization_id: str = DEFAULT_ORGANIZATION,
    user_id: str | None = None,
    admin: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiKeyRow, str]:
    """Make a key; returns its row and the key itself, which nobody can read again."""
    get_organization(conn, organization_id)
    if user_id and get_user(conn, user_id).organization_id != organization_id:
        raise Conflict(f"The user {user_id} belongs to another organization than the key would.")
    taken = (api_keys.c.organization_id == organization_id) & (api_keys.c.name == name)
    if conn.scalar(select(exists().where(taken))):
        raise Conflict(f"A key named {name!r} exists; revoke it first or choose another name.")
    prefix = f"{SCHEME}_{secrets.token_hex(6)}"
    key = f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    moment = now()
    row = ApiKeyRow(
        new_id("key"),
        organization_id,
        user_id,
        name,
        prefix,
        ring.digest(key),
        ring.newest,
        admin,
        expires_at,
        moment,
        moment,
    )
    conn.execute(insert(api_keys).values({name: getattr(row, name) for name in ApiKeyRow.__slots__}))
    return row, key


def list_keys(conn: Connection) -> list[ApiKeyRow]:
    """All keys of all organizations, oldest first."""
    return [
        _row(row) for row in conn.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
    ]


def revoke_key(conn: Connection, name: str, organization_id: str | None = None) -> ApiKeyRow:
    """Delete the key of this id, prefix or name; raises when there is none or more than one."""
    found = [
        row
        for row in list_keys(conn)
        if name in {row.id, row.prefix, row.name} and organization_id in {None, row.organization_id}
    ]
    if not found:
        raise NotFound(f"No key has the id, prefix or name {name!r}; `perdure keys list` shows them.")
    if len(found) > 1:
        raise Conflict(f"Several organizations have a key named {name!r}; give its id or prefix.")
    conn.execute(delete(api_keys).where(api_keys.c.id == found[0].id))
    return found[0]


def find_key(conn: Connection, key: str) -> ApiKeyRow | None:
    """The row that a presented key names; whether the key is right is for `is_right` to say."""
    prefix = "_".join(key.split("_", 2)[:2])
    row = conn.execute(select(api_keys).where(api_keys.c.prefix == prefix)).first()
    return _row(row) if row else None


def is_right(ring: KeyRing, row: ApiKeyRow, key: str) -> bool:
    """Whether a presented key is the row's and still valid."""
    right = secrets.compare_digest(ring.digest(key, row.digest_key), row.digest)
    return right and (row.expires_at is None or row.expires_at > now())


def any_key(conn: Connection) -> bool:
    """Whether keys exist at all; without any, and without a configured one, the server is open."""
    return bool(conn.scalar(select(exists(select(api_keys.c.id)))))


def _row(row: Row[Any]) -> ApiKeyRow:
    return ApiKeyRow(*row)
