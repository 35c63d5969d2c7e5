"""Tokens of tools: for whom they speak, how long, and which doors they open."""

import json
from datetime import timedelta

import pytest
from tests.tenancy.test_authenticate import RING, bearer

from perdure.kit.clock import now
from perdure.kit.errors import Forbidden, Unauthorized
from perdure.tenancy import keys, run_tokens, store
from perdure.tenancy.actor import DEFAULT_USER, Actor
from perdure.tenancy.authenticate import Authenticator
from perdure.tenancy.keyring import KeyRing

MINUTE = timedelta(minutes=1)
OPEN = (
    "/v1/agents/",
    "/v1/agents/agent-1/messages",
    "/v1/blocks/b",
    "/v1/tools/",
    "/v1/runs/",
    "/v1/health/",
)
CLOSED = (
    "/v1/admin/orgs/",
    "/v1/sandbox-config/",
    "/v1/sandbox-config/sandbox-1/environment-variable",
    "/v1/providers/",
    "/v1/mcp-servers/",
    "/v1/tools/mcp/servers",
    "/v1/tools/run",
    "/v1/agents/agent-1/tools/f/run",
    "/mcp",
    "/",
    "/v1",
)


def token_of(actor: Actor, ring: KeyRing = RING, lifetime: timedelta = MINUTE) -> str:
    return run_tokens.issue(ring, actor, "run-1", lifetime)


def test_it_speaks_for_its_organization_and_user_but_never_as_administrator():
    token = token_of(Actor("org-1", "user-1", admin=True))
    assert run_tokens.read(RING, token, now()) == Actor("org-1", "user-1", tool_of="run-1")


def test_it_expires():
    assert run_tokens.read(RING, token_of(Actor()), now() + MINUTE) is None


def test_it_outlives_a_new_key_of_the_ring_but_no_lost_one():
    old, new = b"o" * 32, b"n" * 32
    token = token_of(Actor(), KeyRing([old]))
    assert run_tokens.read(KeyRing([new, old]), token, now())
    assert run_tokens.read(KeyRing([new]), token, now()) is None


def test_whatever_is_changed_in_it_makes_it_worthless():
    token = token_of(Actor("org-1", "user-1"))
    other = token_of(Actor("org-2", "user-1"))
    head, said, mac = token.split(".")
    forged = [
        f"{head}.{other.split('.')[1]}.{mac}",
        f"{head}.{said}.",
        f"{head}.{said}.é",
        head,
        f"{head}..",
        "x.y.z",
    ]
    for text in forged:
        assert run_tokens.read(RING, text, now()) is None


@pytest.mark.parametrize("path", OPEN)
def test_it_opens_what_agents_are_made_of(path):
    run_tokens.check_call(path)


@pytest.mark.parametrize("path", CLOSED)
def test_it_opens_no_secrets_no_configuration_and_runs_no_tools(path):
    with pytest.raises(Forbidden, match="tool"):
        run_tokens.check_call(path)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_places_no_code_and_approves_nothing(method):
    for path in (
        "/v1/tools",
        "/v1/tools/",
        "/v1/tools/tool-1",
        "/v1/tools/add-base-tools",
        "/v1/tools/search/x",
        "/v1/agents/agent-1/tools/approval/f",
    ):
        run_tokens.check_call(path)
        with pytest.raises(Forbidden, match="does not make"):
            run_tokens.check_call(path, "run-1", method)
    for path in ("/v1/tools/search", "/v1/tools/call", "/v1/agents/a/tools/attach/t", "/v1/blocks/"):
        run_tokens.check_call(path, "run-1", method)


def test_it_lasts_through_the_wait_in_line_and_the_installation():
    assert run_tokens.lifetime(30) == timedelta(seconds=335)
    assert run_tokens.lifetime(30, 300) == timedelta(seconds=635)


SOURCE = '''
def look() -> float:
    """Look."""
    import base64, json, os, time
    said = os.environ["LETTA_API_KEY"].split(".")[1]
    expires = json.loads(base64.urlsafe_b64decode(said + "=="))[3]
    try:
        client.tools.upsert(source_code="def f():\\n    pass")
    except Exception as error:
        return [expires - time.time(), type(error).__name__]
'''


def test_a_tool_has_a_token_for_its_wait_and_none_to_make_tools(http):
    told = http.post("/v1/tools/run", json={"source_code": SOURCE, "args": {}}).json()
    seconds, refused = json.loads(told["tool_return"])
    assert seconds > run_tokens.QUEUE.total_seconds()
    assert refused == "PermissionDeniedError"


def asked(path, key, **headers):
    request = bearer(key, **headers)
    request.scope.update(path=path, scheme="http", server=("127.0.0.1", 1), query_string=b"", method="GET")
    return request


async def test_it_is_a_key_on_closed_and_on_open_servers(database):
    organization = await database.write(store.create_organization)
    token = token_of(Actor(organization.id, DEFAULT_USER))
    for ask in (Authenticator(database, RING, "secret"), Authenticator(database, RING)):
        for _ in range(2):  # the second time from what is remembered
            assert await ask(asked("/v1/agents/", token)) == Actor(organization.id, tool_of="run-1")
            with pytest.raises(Forbidden):
                await ask(asked("/v1/sandbox-config/", token))
        with pytest.raises(Unauthorized, match="expired"):
            await ask(asked("/v1/agents/", f"{token}x"))


async def test_it_may_name_a_user_of_its_organization_and_stays_a_tool(database):
    organization = await database.write(store.create_organization)
    user = await database.write(store.create_user, organization.id, "Ann")
    ask = Authenticator(database, RING, "secret")
    token = token_of(Actor(organization.id))
    assert await ask(asked("/v1/agents/", token, user_id=user.id)) == Actor(
        organization.id, user.id, tool_of="run-1"
    )
    with pytest.raises(store.UserNotFound):
        await ask(asked("/v1/agents/", token, user_id=DEFAULT_USER))


async def test_it_is_no_key_of_the_database(database):
    assert await database.read(keys.find_key, token_of(Actor())) is None
