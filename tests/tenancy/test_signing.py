"""Signatures of callbacks: one secret per organization, sealed, checkable by the published convention."""

import base64
import hmac
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from perdure.tenancy.actor import DEFAULT_ORGANIZATION
from perdure.tenancy.keyring import KeyRing, KeyRingError
from perdure.tenancy.sealed import reseal
from perdure.tenancy.signing import renew_signing_secret, signed_headers, signing_secret
from perdure.tenancy.store import OrganizationNotFound, create_organization
from perdure.tenancy.tables import signing_secrets

RING = KeyRing([b"k" * 32])


async def test_a_secret_is_made_once_and_is_an_organizations_own(database):
    first = await database.write(signing_secret, RING, DEFAULT_ORGANIZATION)
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    assert await database.write(signing_secret, RING, DEFAULT_ORGANIZATION) == first
    other = await database.write(create_organization)
    assert await database.write(signing_secret, RING, other.id) != first


async def test_a_secret_is_stored_sealed_and_survives_a_rotation(database):
    secret = await database.write(signing_secret, RING, DEFAULT_ORGANIZATION)
    stored = await database.read(lambda conn: conn.execute(select(signing_secrets.c.secret)).scalar_one())
    assert secret not in stored
    both = KeyRing([b"n" * 32, b"k" * 32])
    assert await database.write(reseal, both) == 1
    assert await database.write(signing_secret, KeyRing([b"n" * 32]), DEFAULT_ORGANIZATION) == secret
    with pytest.raises(KeyRingError):
        await database.write(signing_secret, RING, DEFAULT_ORGANIZATION)


async def test_a_secret_is_replaced(database):
    first = await database.write(signing_secret, RING, DEFAULT_ORGANIZATION)
    second = await database.write(renew_signing_secret, RING, DEFAULT_ORGANIZATION)
    assert second != first
    assert await database.write(signing_secret, RING, DEFAULT_ORGANIZATION) == second


async def test_an_unknown_organization_has_none(database):
    with pytest.raises(OrganizationNotFound):
        await database.write(signing_secret, RING, "org-00000000-0000-4000-8000-00000000000f")


def test_the_signature_is_the_one_of_the_convention():
    # Example of the Standard Webhooks specification, whose signature receivers' libraries agree on.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    moment = datetime.fromtimestamp(1614265330, UTC)
    body = b'{"test": 2432232314}'
    headers = signed_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", moment, body)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key = base64.b64decode(secret.removeprefix("whsec_"))
    again = hmac.digest(key, b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body, "sha256")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(again).decode()}"
