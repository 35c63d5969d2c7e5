"""Who calls: keys, the user_id header, the open server, and what is refused."""

import time

import pytest
from starlette.requests import Request

from perdure.kit.errors import Forbidden, InvalidArgument, NotFound, Unauthorized
from perdure.tenancy import authenticate, keys, store
from perdure.tenancy.actor import DEFAULT_USER, Actor
from perdure.tenancy.authenticate import Authenticator, UnsafeBinding, guard_binding, is_loopback
from perdure.tenancy.keyring import KeyRing

RING = KeyRing([b"k" * 32])


def request(**headers):
    named = {"host": "127.0.0.1:8283", **{name.replace("__", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "headers": raw})


def bearer(key, **headers):
    return request(authorization=f"Bearer {key}", **headers)


async def test_without_keys_the_server_is_open_to_this_machine(database):
    ask = Authenticator(database, RING)
    assert await ask(request()) == Actor(admin=True)
    assert await ask(bearer("anything")) == Actor(admin=True)


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}, {"host": "10.0.0.1"}],
)
async def test_an_open_server_refuses_pages_from_elsewhere(database, headers):
    with pytest.raises(Forbidden, match="answers this machine only"):
        await Authenticator(database, RING)(request(**headers))


async def test_an_open_server_answers_local_pages(database):
    ask = Authenticator(database, RING)
    assert await ask(request(origin="http://localhost:3000")) == Actor(admin=True)


async def test_a_configured_key_is_wanted_from_everybody(database):
    ask = Authenticator(database, RING, "secret")
    assert await ask(bearer("secret", host="far.example")) == Actor(admin=True)
    assert await ask(request(**{"x-bare-password": "password secret"})) == Actor(admin=True)
    for wrong in (
        request(),
        bearer(""),
        bearer("wrong"),
        bearer("schlüssel"),
        request(authorization="Basic secret"),
        request(**{"x-bare-password": "secret"}),
    ):
        with pytest.raises(Unauthorized, match="Unauthorized: this"):
            await ask(wrong)


async def test_a_server_that_others_reach_is_never_open(database):
    with pytest.raises(Unauthorized):
        await Authenticator(database, RING, loopback=False)(request())


async def test_a_key_acts_for_its_organization(database):
    organization = await database.write(store.create_organization)
    _, key = await database.write(keys.create_key, RING, "ci", organization_id=organization.id)
    ask = Authenticator(database, RING)
    assert await ask(bearer(key)) == Actor(organization.id, DEFAULT_USER)
    with pytest.raises(Unauthorized):
        await ask(request())


async def test_the_first_key_closes_an_open_server_at_once_where_it_is_made(database):
    ask = Authenticator(database, RING)
    await ask(request())
    _, key = await database.write(keys.create_key, RING, "first", admin=True)
    ask.forget()
    with pytest.raises(Unauthorized):
        await ask(request())
    assert (await ask(bearer(key))).admin
    await database.write(keys.revoke_key, "first")
    ask.forget()
    with pytest.raises(Unauthorized):
        await ask(request())  # a server that was closed stays closed


async def test_a_revoked_key_ends_within_seconds(database, monkeypatch):
    assert authenticate.REMEMBERED_SECONDS < 5
    _, key = await database.write(keys.create_key, RING, "ci")
    ask = Authenticator(database, RING)
    await ask(bearer(key))
    await database.write(keys.revoke_key, "ci")
    await ask(bearer(key))
    later = time.monotonic() + authenticate.REMEMBERED_SECONDS
    monkeypatch.setattr(authenticate.time, "monotonic", lambda: later)
    with pytest.raises(Unauthorized, match="unknown, revoked or expired"):
        await ask(bearer(key))


async def test_the_user_header_names_a_user(database):
    organization = await database.write(store.create_organization)
    user = await database.write(store.create_user, organization.id, "Ada")
    ask = Authenticator(database, RING)
    assert await ask(request(user_id=user.id)) == Actor(organization.id, user.id, admin=True)
    with pytest.raises(InvalidArgument, match="user_id must be"):
        await ask(request(user_id="ada"))
    with pytest.raises(NotFound):
        await ask(request(user_id=DEFAULT_USER[:-1] + "7"))


async def test_a_key_cannot_act_as_another_organizations_user(database):
    organization = await database.write(store.create_organization)
    user = await database.write(store.create_user, organization.id, "Ada")
    _, own = await database.write(keys.create_key, RING, "own", organization_id=organization.id)
    _, admin = await database.write(keys.create_key, RING, "admin", admin=True)
    ask = Authenticator(database, RING)
    assert await ask(bearer(own, user_id=user.id)) == Actor(organization.id, user.id)
    with pytest.raises(NotFound):
        await ask(bearer(own, user_id=DEFAULT_USER))
    with pytest.raises(NotFound):
        await ask(bearer(admin, user_id=user.id))


async def test_an_organization_is_prepared_before_its_first_request(database):
    prepared = []
    ask = Authenticator(database, RING, prepare=lambda _, organization: prepared.append(organization))
    organization = await database.write(store.create_organization)
    user = await database.write(store.create_user, organization.id, "Ada")
    for _ in range(2):
        await ask(request(user_id=user.id))
        ask.forget()
    assert prepared == [organization.id]


async def test_asking_again_costs_microseconds(database):
    _, key = await database.write(keys.create_key, RING, "ci")
    ask = Authenticator(database, RING)
    again = bearer(key)
    await ask(again)
    times = []
    for _ in range(200):
        started = time.perf_counter()
        await ask(again)
        times.append(time.perf_counter() - started)
    assert sorted(times)[20] < 20e-6


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("a.localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("", False),
        ("example.org", False),
    ],
)
def test_loopback_is_this_machine_only(host, local):
    assert is_loopback(host) is local


def test_listening_for_others_needs_a_key():
    guard_binding("127.0.0.1", has_key=False)
    guard_binding("0.0.0.0", has_key=True)
    with pytest.raises(UnsafeBinding, match="Set PERDURE_API_KEY or make a key with `perdure keys create"):
        guard_binding("0.0.0.0", has_key=False)
