"""Two organizations and every route there is: neither sees, changes or counts the other's rows.

A route added tomorrow is walked, too. One with an id this test does not know, or a body it cannot
guess, fails here until `World.ids` or `BODIES` say what belongs there.
"""

import itertools
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.mcp.remote import running

from perdure.testing.scripted import call, say

OPEN = {"/v1/health/", "/v1/ready/"}
STATED = "/v1/tools/mcp/oauth/callback"  # for browsers, which show the state of a login instead of a key
ADMIN = "/v1/admin/"
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/agents/{agent_id}/messages"): {"messages": [{"role": "user", "content": "hello"}]},
    ("POST", "/v1/agents/{agent_id}/messages/stream"): {"messages": [{"role": "user", "content": "hello"}]},
    ("POST", "/v1/agents/{agent_id}/messages/async"): {"input": "hello"},
    ("POST", "/v1/agents/{agent_id}/messages/preview-raw-payload"): {"input": "hello"},
    ("POST", "/v1/agents/{agent_id}/generate"): {"prompt": "hello"},
    ("PATCH", "/v1/agents/{agent_id}/core-memory/blocks/{block_label}"): {"value": "changed"},
    ("PATCH", "/v1/agents/{agent_id}/tools/approval/{tool_name}"): {"requires_approval": True},
    ("PATCH", "/v1/tools/{tool_id}"): {"return_char_limit": 7},
    ("PATCH", "/v1/agents/{agent_id}"): {"name": "changed"},
    ("POST", "/v1/conversations/{conversation_id}/messages"): {"input": "hello"},
    ("POST", "/v1/conversations/{conversation_id}/messages/preview-raw-payload"): {"input": "hello"},
    ("PATCH", "/v1/conversations/{conversation_id}"): {"summary": "changed"},
    ("PATCH", "/v1/blocks/{block_id}"): {"value": "changed"},
    ("POST", "/v1/blocks/{block_id}/history/restore"): {"version": 1},
    ("POST", "/v1/agents/{agent_id}/archival-memory"): {"text": "x"},
    ("PATCH", "/v1/archives/{archive_id}"): {"name": "changed"},
    ("POST", "/v1/archives/{archive_id}/passages"): {"text": "x"},
    ("POST", "/v1/archives/{archive_id}/passages/batch"): {"passages": [{"text": "x"}]},
    ("PATCH", "/v1/archives/{archive_id}/passages/{passage_id}"): {"text": "changed"},
    ("PATCH", "/v1/steps/{step_id}/feedback"): {"feedback": "positive"},
    ("PATCH", "/v1/providers/{provider_id}"): {"api_key": "changed"},
    ("POST", "/v1/agents/{agent_id}/tools/{tool_name}/run"): {"args": {"query": "x"}},
    ("PATCH", "/v1/sandbox-config/{sandbox_config_id}"): {"config": {"timeout": 7}},
    ("POST", "/v1/sandbox-config/{sandbox_config_id}/environment-variable"): {"key": "K", "value": "v"},
    ("PATCH", "/v1/sandbox-config/environment-variable/{env_var_id}"): {"value": "changed"},
}
QUERIES = {"/v1/agents/{agent_id}/archival-memory/search": {"query": "x"}}


@dataclass
class World:
    """One organization and what it made through the API."""

    http: httpx.Client
    ids: dict[str, str]
    agent: dict[str, Any]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, path, **options)

    def everything(self) -> dict[str, Any]:
        """What the organization sees of its own, to compare before and after."""
        agent = self.ids["agent_id"]
        lists = (
            "agents",
            "archives",
            "blocks",
            "tools",
            "providers",
            "runs",
            "steps",
            "messages",
            "tags",
            "conversations",
            "groups",
            "mcp-servers",
            "sandbox-config",
            "folders",
        )
        kept = ("core-memory/blocks", "archival-memory")
        paths = [f"/v1/{name}/" for name in lists] + [f"/v1/agents/{agent}/{name}" for name in kept]
        return {path: self.ask("GET", path).json() for path in paths}


@pytest.fixture(scope="module")
def box():
    """The address of an MCP server."""
    with running() as remote:
        yield remote.url


@pytest.fixture
def make_world(live, scripted, new_key, box):
    opened: list[httpx.Client] = []

    def make() -> World:
        headers = {"Authorization": f"Bearer {new_key()}"}
        http = httpx.Client(base_url=live.url, headers=headers, timeout=30)
        opened.append(http)
        return populate(http, scripted, box)

    yield make
    for http in opened:
        http.close()


def populate(http: httpx.Client, scripted: Any, box: str) -> World:
    """An agent that was talked to and used a tool, a block, a provider and an MCP server beside it."""
    config = {"mcp_server_type": "streamable_http", "server_url": box}
    added = http.post("/v1/mcp-servers/", json={"server_name": f"box-{uuid.uuid4()}", "config": config})
    server = created(added)
    offered = http.get(f"/v1/mcp-servers/{server['id']}/tools").json()
    [tool] = [one for one in offered if one["name"] == "echo"]
    model = scripted.script(
        uuid.uuid4().hex, call("core_memory_append", label="human", content="x"), say("ok")
    )
    body = {
        "name": "mine",
        "enable_sleeptime": True,
        "model": model,
        "memory_blocks": [{"label": "human", "value": "secret"}],
        "tags": [f"tag-{uuid.uuid4()}"],
        "include_base_tools": True,
        "tools": ["core_memory_append"],
        "tool_ids": [tool["id"]],
    }
    agent = created(http.post("/v1/agents/", json=body))
    said = created(
        http.post(
            f"/v1/agents/{agent['id']}/messages", json={"messages": [{"role": "user", "content": "hi"}]}
        )
    )
    begun = http.post(
        "/v1/conversations/",
        params={"agent_id": agent["id"]},
        json={"summary": "secret", "isolated_block_labels": ["human"]},
    )
    conversation = created(begun)
    sent = {"input": "hi", "streaming": False}
    created(http.post(f"/v1/conversations/{conversation['id']}/messages", json=sent))
    block = created(http.post("/v1/blocks/", json={"label": "loose", "value": "secret"}))
    created(http.patch(f"/v1/blocks/{block['id']}", json={"value": "secret too"}))
    [passage] = created(http.post(f"/v1/agents/{agent['id']}/archival-memory", json={"text": "secret"}))
    provider = created(
        http.post(
            "/v1/providers/",
            json={
                "name": "own",
                "provider_type": "openai",
                "base_url": "http://127.0.0.1:9/v1",
                "api_key": "x",
            },
        )
    )
    sandbox = created(http.post("/v1/sandbox-config/local/default"))
    variables = f"/v1/sandbox-config/{sandbox['id']}/environment-variable"
    variable = created(http.post(variables, json={"key": "SECRET", "value": "secret"}))
    folder = created(http.post("/v1/folders/", json={"name": "secret papers"}))
    sent = {"file": ("secret.txt", b"secret", "text/plain")}
    file = created(http.post(f"/v1/folders/{folder['id']}/upload", files=sent))
    created(http.patch(f"/v1/agents/{agent['id']}/folders/attach/{folder['id']}"))
    [step, *_] = http.get("/v1/steps/").json()
    ids = {
        "agent_id": agent["id"],
        "model": agent["id"],
        "archive_id": passage["archive_id"],
        "passage_id": passage["id"],
        "memory_id": passage["id"],
        "block_id": block["id"],
        "tool_id": tool["id"],
        "mcp_server_id": server["id"],
        "mcp_server_name": server["server_name"],
        "mcp_tool_name": "echo",
        "provider_id": provider["id"],
        "sandbox_config_id": sandbox["id"],
        "env_var_id": variable["id"],
        "conversation_id": conversation["id"],
        "run_id": step["run_id"],
        "step_id": step["id"],
        "message_id": said["messages"][-1]["id"],
        "folder_id": folder["id"],
        "source_id": folder["id"],
        "folder_name": folder["name"],
        "file_id": file["id"],
        "block_label": "human",
        "version": "1",
        "group_id": agent["managed_group"]["id"],
        "tool_name": agent["tools"][0]["name"],
    }
    return World(http, ids, agent)


def created(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def operations(live: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation of the server's own description."""
    paths = live.app.openapi()["paths"]
    return [
        (method.upper(), path, what) for path, methods in paths.items() for method, what in methods.items()
    ]


def names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def mixtures(path: str, theirs: World, own: World) -> list[str]:
    """The path with the other organization's ids, and each mixture of theirs and ours with one of theirs."""
    names = names_in(path)
    unknown = set(names) - set(theirs.ids)
    assert not unknown, f"tell World.ids what {unknown} of {path} is"
    foreign = [name for name in names if re.search(r"-[0-9a-f]{8}-", theirs.ids[name])]
    filled: list[str] = []
    for choice in itertools.product((theirs, own), repeat=len(names)):
        worlds = dict(zip(names, choice, strict=True))
        if any(worlds[name] is theirs for name in foreign):
            filled.append(path.format(**{name: world.ids[name] for name, world in worlds.items()}))
    return filled


def test_rows_of_others_are_not_found_on_any_route(live, make_world):
    theirs, own = make_world(), make_world()
    before = theirs.everything()
    wrong: list[str] = []
    walked = 0
    # What deletes comes last: nothing may be gone before the others were tried.
    for method, path, what in sorted(operations(live), key=lambda each: each[0] == "DELETE"):
        if not names_in(path):
            continue
        body = {"json": BODIES.get((method, path), {})} if "requestBody" in what else {}
        body["params"] = QUERIES.get(path, {})
        for filled in mixtures(path, theirs, own):
            answer = own.ask(method, filled, **body)
            walked += 1
            if answer.status_code != 404:
                wrong.append(f"{method} {filled}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert walked > 50
    assert theirs.everything() == before


def test_the_walk_asks_for_what_its_owner_can_see(live, make_world):
    own = make_world()
    step_id, deadline = own.ids["step_id"], time.monotonic() + 5
    while own.ask("GET", f"/v1/steps/{step_id}/trace").status_code == 404:  # written in the background
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for method, path, _ in operations(live):
        if method == "GET" and names_in(path):
            answer = own.ask("GET", path.format(**own.ids), params=QUERIES.get(path))
            assert answer.status_code == 200, f"{path}: {answer.text}"


def test_lists_never_show_rows_of_others(live, make_world):
    theirs, own = make_world(), make_world()
    hidden = [value for name, value in theirs.ids.items() if name.endswith("_id")] + theirs.agent["tags"]
    seen: list[str] = []
    for method, path, what in operations(live):
        if method != "GET" or names_in(path) or path in {*OPEN, STATED} or path.startswith(ADMIN):
            continue
        queries: list[dict[str, Any]] = [{}]
        for parameter in what.get("parameters", ()):
            name = parameter["name"]
            values = [theirs.ids[name.removesuffix("s")]] if name.removesuffix("s") in theirs.ids else []
            if name in {"before", "after"}:
                values = hidden
            queries += [{name: value} for value in values]
        for query in queries:
            answer = own.ask("GET", path, params=query)
            assert answer.status_code in {200, 404}, f"{path} {query}: {answer.text}"
            others = set(hidden) - set(query.values())  # a refusal may repeat what was asked
            seen += [f"GET {path} {query} shows {value}" for value in others if value in answer.text]
    assert not seen, "\n".join(seen)


def test_counts_are_of_the_callers_rows(make_world):
    make_world()
    own = make_world()
    assert own.ask("GET", "/v1/agents/count").json() == 2
    assert own.ask("GET", "/v1/blocks/count").json() == 3


@pytest.mark.parametrize(
    "field", ["block_ids", "tool_ids", "folder_ids", "source_ids", "identity_ids", "message_ids"]
)
def test_rows_of_others_cannot_be_named_in_a_body(make_world, field):
    theirs, own = make_world(), make_world()
    value = [theirs.ids.get(field.removesuffix("s"), "source-" + str(uuid.uuid4()))]
    if field != "message_ids":
        answer = own.ask("POST", "/v1/agents/", json={"name": "x", "model": "demo/offline", field: value})
        assert answer.status_code in {400, 404, 422}, answer.text
    answer = own.ask("PATCH", f"/v1/agents/{own.ids['agent_id']}", json={field: value})
    assert answer.status_code in {400, 404, 422}, answer.text


def test_providers_of_others_cannot_be_used(make_world):
    theirs, own = make_world(), make_world()
    created(theirs.ask("PATCH", f"/v1/providers/{theirs.ids['provider_id']}", json={"region": "eu"}))
    removed = own.ask("DELETE", f"/v1/providers/{own.ids['provider_id']}")
    assert removed.status_code < 300
    answer = own.ask("POST", "/v1/agents/", json={"name": "x", "model": "own/gpt-4o"})
    assert answer.status_code == 404, answer.text


def test_the_same_names_are_free_in_every_organization(make_world):
    theirs, own = make_world(), make_world()
    assert own.agent["name"] == theirs.agent["name"]
    assert own.ids["provider_id"] != theirs.ids["provider_id"]
    assert own.ids["tool_id"] != theirs.ids["tool_id"]


def test_every_route_wants_a_key(live):
    with httpx.Client(base_url=live.url) as http:
        for method, path, _ in operations(live):
            if path in OPEN:
                assert http.request(method, path).status_code == 200
                continue
            if path == STATED:
                assert http.request(method, path).status_code == 400
                continue
            filled = re.sub(r"{(\w+?)(?:_id)?}", lambda name: f"{name[1]}-{uuid.uuid4()}", path)
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                answer = http.request(method, filled, headers=headers, json={})
                assert answer.status_code == 401, f"{method} {filled}: {answer.status_code} {answer.text}"
                said = answer.json()
                words = said["detail"] if "detail" in said else said["error"]["message"]
                assert words.startswith("Unauthorized")


def test_administration_is_not_for_everybodys_key(live, make_world):
    own = make_world()
    for method, path, _ in operations(live):
        if path.startswith(ADMIN):
            answer = own.ask(method, path, json={})
            assert answer.status_code in {403, 422}, f"{method} {path}: {answer.status_code}"
            if method == "GET":
                assert answer.status_code == 403
