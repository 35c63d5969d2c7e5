"""What an organization's callbacks are signed with, by the convention of Standard Webhooks.

The receiver has the same secret and so knows who calls; `webhook-id` stays the same when a call is
repeated, so it can tell repetitions.
"""

import base64
import hmac
import secrets
from datetime import datetime

from sqlalchemy import Connection, select, update

from perdure.db.insert import insert_new
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.tenancy.keyring import KeyRing
from perdure.tenancy.store import get_organization
from perdure.tenancy.tables import signing_secrets

PREFIX = "whsec_"
SECRET_BYTES = 32


def signing_secret(conn: Connection, ring: KeyRing, organization_id: str) -> str:
    """The organization's secret, made when it is first needed."""
    query = select(signing_secrets.c.id, signing_secrets.c.secret).where(
        signing_secrets.c.organization_id == organization_id
    )
    row = conn.execute(query).first()
    if row is None:
        get_organization(conn, organization_id)
        insert_new(conn, signing_secrets, [_new_row(ring, organization_id)])
        row = conn.execute(query).one()
    return ring.open(row.secret, table="signing_secrets", row=row.id, organization=organization_id)


def renew_signing_secret(conn: Connection, ring: KeyRing, organization_id: str) -> str:
    """Replace the organization's secret: what is sent from now on is signed with the new one."""
    signing_secret(conn, ring, organization_id)
    values = _new_row(ring, organization_id)
    del values["created_at"]
    mine = signing_secrets.c.organization_id == organization_id
    conn.execute(update(signing_secrets).where(mine).values(**values))
    return signing_secret(conn, ring, organization_id)


def _new_row(ring: KeyRing, organization_id: str) -> dict[str, object]:
    id, moment = new_id("secret"), now()
    secret = PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    sealed = ring.seal(secret, table="signing_secrets", row=id, organization=organization_id)
    return {
        "id": id,
        "organization_id": organization_id,
        "secret": sealed,
        "created_at": moment,
        "updated_at": moment,
    }


def signed_headers(secret: str, id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The headers that tell a receiver what came, when it was sent, and that we sent it."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    timestamp = str(int(moment.timestamp()))
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
