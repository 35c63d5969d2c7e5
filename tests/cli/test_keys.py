"""`perdure keys`: made, shown once, listed, revoked, and the ring rotated."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure.cli.keys import parse_expiry
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument


def test_a_key_is_made_listed_and_revoked(perdure):
    made = perdure("keys", "create", "ci", "--admin", "--expires", "30d")
    key = made.stdout.strip()
    assert key.startswith("perdure_")
    assert "It is shown only now" in made.stderr
    listed = perdure("keys", "list").stdout
    assert " admin " in listed
    assert "ci" in listed
    assert key not in listed
    assert key.rpartition("_")[0] in listed or key[:20] in listed
    assert "Revoked 'ci'" in perdure("keys", "revoke", "ci").stdout
    assert "No keys yet" in perdure("keys", "list").stderr


def test_mistakes_are_sentences(perdure):
    perdure("keys", "create", "ci")
    assert "A key named 'ci' exists" in perdure("keys", "create", "ci", fails=True).stderr
    assert "No key has the id" in perdure("keys", "revoke", "other", fails=True).stderr
    organization = "org-00000000-0000-4000-8000-00000000000f"
    refused = perdure("keys", "create", "x", "--organization", organization, fails=True)
    assert refused.stderr == f"perdure: No organization has the id {organization}.\n"


def test_the_ring_is_rotated(perdure):
    perdure("keys", "create", "ci")
    said = perdure("keys", "rotate").stdout
    assert "Sealed 0 secrets" in said
    assert "the ring has 2 keys" in said
    assert (perdure.home / "keys").stat().st_mode & 0o777 == 0o600


def test_a_ring_of_the_settings_is_changed_there(perdure):
    perdure.env["PERDURE_ENCRYPTION_KEYS"] = "a" * 43 + "="
    assert "put it first there" in perdure("keys", "rotate").stderr


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_date_is_a_moment(text, moment):
    assert parse_expiry(text) == moment


def test_a_span_is_from_now():
    assert abs(parse_expiry("12h") - now() - timedelta(hours=12)) < timedelta(seconds=5)
    with pytest.raises(InvalidArgument, match="write `30d`"):
        parse_expiry("soon")


def test_the_secret_of_callbacks_is_shown_and_renewed(perdure):
    secret = perdure("keys", "webhook").stdout.strip()
    assert secret.startswith("whsec_")
    assert perdure("keys", "webhook").stdout.strip() == secret
    assert "Sealed 1 secrets" in perdure("keys", "rotate").stdout
    assert perdure("keys", "webhook").stdout.strip() == secret
    assert perdure("keys", "webhook", "--renew").stdout.strip() != secret
    organization = "org-00000000-0000-4000-8000-00000000000f"
    refused = perdure("keys", "webhook", "--organization", organization, fails=True)
    assert refused.stderr == f"perdure: No organization has the id {organization}.\n"
