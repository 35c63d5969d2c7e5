"""Variables for an agent's tools: sealed at rest, set by clients, never shown again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from perdure.agents.tables import agents_secrets
from perdure.db.prepared import Prepared
from perdure.db.rows import fields_of
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing

TABLE = agents_secrets.name


@dataclass(frozen=True, slots=True)
class SecretRow:
    """That an agent has a secret of this name; not what it is."""

    id: str
    organization_id: str
    agent_id: str
    key: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is stored."""

    id: str
    key: str
    sealed: str


def seal(ring: KeyRing, actor: Actor, secrets: Mapping[str, str]) -> list[SealedSecret]:
    """Seal secrets, before a unit of work stores them."""
    sealed: list[SealedSecret] = []
    for key, value in secrets.items():
        secret_id = new_id("agent-env")
        token = ring.seal(value, table=TABLE, row=secret_id, organization=actor.organization_id)
        sealed.append(SealedSecret(secret_id, key, token))
    return sealed


SEALED = Prepared(
    select(*(agents_secrets.c[name] for name in fields_of(SealedSecret))).where(
        agents_secrets.c.agent_id == bindparam("agent_id"),
        agents_secrets.c.organization_id == bindparam("organization_id"),
    )
)


def sealed_secrets(conn: Connection, actor: Actor, agent_id: str) -> list[SealedSecret]:
    """An agent's secrets as they are stored; none where the agent is not the organization's."""
    of = {"agent_id": agent_id, "organization_id": actor.organization_id}
    return [SealedSecret(*row) for row in SEALED.all(conn, of)]


def opened(ring: KeyRing, actor: Actor, secret: SealedSecret) -> str:
    """A stored secret in clear."""
    return ring.open(secret.sealed, table=TABLE, row=secret.id, organization=actor.organization_id)


def set_secrets(conn: Connection, actor: Actor, agent_id: str, secrets: Sequence[SealedSecret]) -> None:
    """Replace all secrets of an agent."""
    conn.execute(delete(agents_secrets).where(agents_secrets.c.agent_id == agent_id))
    at = now()
    rows = [
        {
            "id": secret.id,
            "organization_id": actor.organization_id,
            "agent_id": agent_id,
            "key": secret.key,
            "sealed": secret.sealed,
            "created_at": at,
            "updated_at": at,
        }
        for secret in secrets
    ]
    if rows:
        conn.execute(insert(agents_secrets), rows)


def secrets_by_agent(conn: Connection, agent_ids: Sequence[str]) -> dict[str, list[SecretRow]]:
    """Which secrets several agents have; agents without any are left out."""
    columns = [agents_secrets.c[name] for name in fields_of(SecretRow)]
    query = select(*columns).where(agents_secrets.c.agent_id.in_(agent_ids)).order_by(agents_secrets.c.key)
    found: dict[str, list[SecretRow]] = {}
    for row in conn.execute(query):
        found.setdefault(row.agent_id, []).append(SecretRow(*row))
    return found
