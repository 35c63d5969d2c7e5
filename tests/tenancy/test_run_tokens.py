"""Tokens of tools: for whom they speak, how long, and which doors they open."""

import contextlib
import json
import re
import uuid
from datetime import timedelta

import httpx
import pytest
from tests.tenancy.test_authenticate import RING, bearer

from perdure.config import Settings
from perdure.kit.clock import now
from perdure.kit.errors import Forbidden, Unauthorized
from perdure.server.app import create_app
from perdure.tenancy import keys, run_tokens, store
from perdure.tenancy.actor import DEFAULT_USER, Actor
from perdure.tenancy.authenticate import Authenticator
from perdure.tenancy.keyring import KeyRing
from perdure.testing.scripted import say

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
        "/v1/agents/agent-1/tools/attach/tool-1",
        "/v1/agents/agent-1/tools/detach/tool-1",
        "/v1/agents/import",
    ):
        run_tokens.check_call(path)
        with pytest.raises(Forbidden, match="does not make"):
            run_tokens.check_call(path, "run-1", method)
    for path in ("/v1/tools/search", "/v1/tools/call", "/v1/blocks/"):
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


# What a tool's token changes of agents. What they remember (blocks, archives, folders…) is open as a whole.
WRITES = """
POST   /v1/agents/
PATCH  /v1/agents/{agent_id}
DELETE /v1/agents/{agent_id}
POST   /v1/agents/messages/search
POST   /v1/agents/{agent_id}/generate
POST   /v1/agents/{agent_id}/messages
POST   /v1/agents/{agent_id}/messages/async
POST   /v1/agents/{agent_id}/messages/cancel
POST   /v1/agents/{agent_id}/messages/preview-raw-payload
POST   /v1/agents/{agent_id}/messages/repair
POST   /v1/agents/{agent_id}/messages/stream
POST   /v1/agents/{agent_id}/recompile
PATCH  /v1/agents/{agent_id}/reset-messages
POST   /v1/agents/{agent_id}/summarize
POST   /v1/agents/{agent_id}/system-prompt/recompile
POST   /v1/conversations/
PATCH  /v1/conversations/{conversation_id}
DELETE /v1/conversations/{conversation_id}
POST   /v1/conversations/{conversation_id}/cancel
POST   /v1/conversations/{conversation_id}/compact
POST   /v1/conversations/{conversation_id}/fork
POST   /v1/conversations/{conversation_id}/messages
POST   /v1/conversations/{conversation_id}/messages/preview-raw-payload
POST   /v1/conversations/{conversation_id}/recompile
POST   /v1/conversations/{conversation_id}/stream
POST   /v1/messages/search
DELETE /v1/runs/{run_id}
POST   /v1/runs/{run_id}/stream
PATCH  /v1/steps/{step_id}/feedback
POST   /v1/tools/call
POST   /v1/tools/search
"""
MEMORY = re.compile(
    r"/v1/(agents/\{agent_id\}/)?"
    r"(archival-memory|archives|blocks|core-memory|files|folders|groups|identities|memory|passages|sources)(/|$)"
)


def test_of_all_routes_it_writes_what_agents_remember_and_what_is_named_here():
    found = set()
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method in {name.upper() for name in methods} - run_tokens.READS:
            with contextlib.suppress(Forbidden):
                run_tokens.check_call(path, "run-1", method)
                if not MEMORY.match(path):
                    found.add((method, path))
    assert found == {tuple(line.split()) for line in WRITES.strip().splitlines()}


@pytest.fixture
def tool(live, http, api_key) -> httpx.Client:
    """HTTP as a tool of the organization."""
    organization = live.run(keys.find_key, api_key).actor.organization_id
    token = token_of(Actor(organization), live.app.state.keyring)
    http.headers["Authorization"] = f"Bearer {token}"
    return http


def test_it_gives_an_agent_no_rights(client, scripted, model_name, tool):
    agent = client.agents.create(model=scripted.script(model_name, say("hello")), secrets={"A": "1"})
    path, rule = f"/v1/agents/{agent.id}", {"type": "exit_loop", "tool_name": "f"}
    for field, cleared, given in (
        ("tool_ids", [], [f"tool-{uuid.uuid4()}"]),
        ("tool_rules", None, [rule]),
        ("secrets", {}, {"B": "2"}),
        ("tools", None, ["memory_insert"]),
        ("tool_exec_environment_variables", {}, {"B": "2"}),
    ):
        made = tool.post("/v1/agents/", json={"model": agent.model, field: given})
        assert (made.status_code, "for a person" in made.json()["detail"]) == (403, True), field
        if field != "tools":
            changed = tool.patch(path, json={field: cleared})
            assert (changed.status_code, "for a person" in changed.json()["detail"]) == (403, True), field
    assert tool.patch(path, json={"name": "other"}).json()["name"] == "other"
    assert tool.post("/v1/agents/", json={"model": agent.model, "tool_ids": []}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"type": "approval", "approve": True}]},
        {"messages": [{"tool_returns": [{"tool_call_id": "x", "tool_return": "y", "status": "success"}]}]},
        {"input": "hello", "callback_url": "https://example.com/"},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "url", "url": "https://e.example/"}}],
                }
            ]
        },
    ],
    ids=["approval", "return", "callback", "image"],
)
def test_it_answers_for_nobody_and_has_no_address_called(client, scripted, model_name, tool, body):
    agent = client.agents.create(model=scripted.script(model_name, say("hello")))
    refused = tool.post(f"/v1/agents/{agent.id}/messages/async", json=body)
    assert (refused.status_code, "tool" in refused.json()["detail"]) == (403, True), refused.text
    assert tool.post(f"/v1/agents/{agent.id}/messages", json={"input": "hello"}).status_code == 200
