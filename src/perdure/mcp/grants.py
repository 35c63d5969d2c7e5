"""What people allowed at servers' addresses (OAuth), and logins under way. Sealed; shared by all replicas."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, or_, select, update

from perdure.db.insert import insert_new
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import stable_id
from perdure.mcp.tables import mcp_grants, mcp_logins
from perdure.tenancy.actor import Actor, is_owned
from perdure.tenancy.keyring import KeyRing

MARGIN = timedelta(seconds=20)  # a token is renewed this much before it ends


class UnknownState(InvalidArgument):
    """A browser came back from a login that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens, the client they were given to, and where they are renewed."""

    client: Mapping[str, Any] = field(repr=False)
    tokens: Mapping[str, Any] = field(repr=False)
    token_url: str
    resource: str | None
    expires_at: float | None
    sealed: str = field(default="", repr=False, compare=False)  # as it was read

    @property
    def access(self) -> str:
        """The token that requests show."""
        return self.tokens["access_token"]

    @property
    def renewable(self) -> bool:
        """Whether there is a token to renew it with."""
        return bool(self.tokens.get("refresh_token"))

    def expired(self, at: datetime) -> bool:
        """Whether requests should not show it any more."""
        return self.expires_at is not None and at.timestamp() > self.expires_at - MARGIN.total_seconds()


def grant_id(actor: Actor, url: str) -> str:
    """The id of an organization's grant for an address: there is one at most."""
    return stable_id("mcp-oauth", actor.organization_id, url)


def seal(ring: KeyRing, actor: Actor, url: str, grant: Grant) -> str:
    """A grant as it is stored."""
    text = orjson.dumps(asdict(replace(grant, sealed=""))).decode()
    return ring.seal(
        text, table=mcp_grants.name, row=grant_id(actor, url), organization=actor.organization_id
    )


def opened(ring: KeyRing, actor: Actor, url: str, sealed: str) -> Grant:
    """A stored grant in clear."""
    place = {"row": grant_id(actor, url), "organization": actor.organization_id}
    told: dict[str, Any] = orjson.loads(ring.open(sealed, table=mcp_grants.name, **place))
    return replace(Grant(**told), sealed=sealed)


def sealed_grant(conn: Connection, actor: Actor, url: str) -> str | None:
    """The organization's grant for an address, as it is stored."""
    query = select(mcp_grants.c.grant).where(_mine(actor, url))
    return conn.execute(query).scalar_one_or_none()


def save_grant(conn: Connection, actor: Actor, url: str, sealed: str) -> None:
    """Keep a grant in place of an earlier one; it is not being renewed any more."""
    at = now()
    values = {"grant": sealed, "refreshing_until": None, "updated_at": at}
    if not conn.execute(update(mcp_grants).where(_mine(actor, url)).values(values)).rowcount:
        key = {"id": grant_id(actor, url), "organization_id": actor.organization_id, "url": url}
        insert_new(conn, mcp_grants, [{**key, **values, "created_at": at}])


def claim_renewal(conn: Connection, actor: Actor, url: str, grant: Grant, seconds: float) -> bool:
    """Become the one process that renews a grant for some seconds: a renewing token often works once.

    False where another does, or has done since the grant was read.
    """
    at = now()
    free = or_(mcp_grants.c.refreshing_until.is_(None), mcp_grants.c.refreshing_until < at)
    same = mcp_grants.c.grant == grant.sealed
    values = {"refreshing_until": at + timedelta(seconds=seconds)}
    return conn.execute(update(mcp_grants).where(_mine(actor, url), same, free).values(values)).rowcount == 1


def release_renewal(conn: Connection, actor: Actor, url: str) -> None:
    """Let another try: renewing did not work this time."""
    conn.execute(update(mcp_grants).where(_mine(actor, url)).values(refreshing_until=None))


def remove_grant(conn: Connection, actor: Actor, url: str) -> None:
    """Forget what was allowed at an address."""
    conn.execute(delete(mcp_grants).where(_mine(actor, url)))


def begin_login(conn: Connection, actor: Actor, login_id: str, state: str, seconds: float) -> None:
    """Wait for a browser that shows this state; logins that nobody came back from are cleared away."""
    at = now()
    conn.execute(delete(mcp_logins).where(mcp_logins.c.expires_at < at))
    row = {
        "id": login_id,
        "organization_id": actor.organization_id,
        "state_digest": _digest(state),
        "expires_at": at + timedelta(seconds=seconds),
        "created_at": at,
        "updated_at": at,
    }
    conn.execute(insert(mcp_logins).values(row))


def login_of(conn: Connection, state: str) -> tuple[str, str]:
    """The id and the organization of the login that waits for this state; raises `UnknownState`."""
    waits = (mcp_logins.c.expires_at > now()) & mcp_logins.c.answer.is_(None)
    query = select(mcp_logins.c.id, mcp_logins.c.organization_id).where(
        mcp_logins.c.state_digest == _digest(state), waits
    )
    row = conn.execute(query).first()
    if row is None:
        raise UnknownState(
            "No login waits for this state: it was used before, or took too long. Connect again."
        )
    return row.id, row.organization_id


def answer_login(conn: Connection, login_id: str, sealed: str) -> None:
    """What the browser brought; raises `UnknownState` when another was first."""
    free = (mcp_logins.c.id == login_id) & mcp_logins.c.answer.is_(None)
    values = {"answer": sealed, "updated_at": now()}
    if not conn.execute(update(mcp_logins).where(free).values(values)).rowcount:
        raise UnknownState("This login was answered before. Connect again.")


def login_answer(conn: Connection, actor: Actor, login_id: str) -> str | None:
    """What a browser brought for a login, as it is stored; None as long as nobody came."""
    mine = (mcp_logins.c.id == login_id) & is_owned(mcp_logins, actor)
    return conn.execute(select(mcp_logins.c.answer).where(mine)).scalar_one_or_none()


def end_login(conn: Connection, actor: Actor, login_id: str) -> None:
    """Wait no longer."""
    conn.execute(delete(mcp_logins).where(mcp_logins.c.id == login_id, is_owned(mcp_logins, actor)))


def _mine(actor: Actor, url: str) -> Any:
    return is_owned(mcp_grants, actor) & (mcp_grants.c.url == url)


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
