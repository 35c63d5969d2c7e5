"""The same servers under their older routes."""

from typing import Any

import pytest


@pytest.fixture
def config(remote: Any) -> dict[str, Any]:
    return {
        "server_name": "box",
        "type": "streamable_http",
        "server_url": remote.url,
        "auth_token": "abc",
    }


def test_a_server_is_added_listed_changed_and_deleted(http, config, remote, client):
    shown = {
        **config,
        "auth_token": "<redacted>",
        "auth_header": None,
        "custom_headers": None,
    }
    assert http.put("/v1/tools/mcp/servers", json=config).json() == [shown]
    assert http.put("/v1/tools/mcp/servers", json=config).status_code == 409
    assert http.get("/v1/tools/mcp/servers").json() == {"box": shown}
    changed = http.patch("/v1/tools/mcp/servers/box", json={"custom_headers": {"X-A": "b"}, "token": "new"})
    assert changed.json() == {**shown, "custom_headers": {"X-A": "<redacted>"}}
    tools = http.get("/v1/tools/mcp/servers/box/tools").json()
    assert remote.headers[-1]["x-a"] == "b"
    assert remote.headers[-1]["authorization"] == "Bearer new"
    [add] = [tool for tool in tools if tool["name"] == "add"]
    assert add["health"]["status"] == "NON_STRICT_ONLY"
    assert set(add["inputSchema"]["properties"]) == {"a", "b"}
    assert http.delete("/v1/tools/mcp/servers/box").json() == []
    assert http.get("/v1/tools/mcp/servers/box/tools").status_code == 404
    assert client.mcp_servers.list() == []


def test_tools_are_registered_one_by_one_and_run(http, config, remote, client):
    tested = http.post("/v1/tools/mcp/servers/test", json=config).json()
    assert tested["status"] == "success"
    assert {tool["name"] for tool in tested["tools"]} >= {"add", "echo"}
    http.put("/v1/tools/mcp/servers", json=config)
    made = http.post("/v1/tools/mcp/servers/box/echo").json()
    assert (made["name"], made["tool_type"], made["tags"]) == ("echo", "external_mcp", ["mcp:box"])
    assert http.post("/v1/tools/mcp/servers/box/nothing").status_code == 400
    run = http.post("/v1/tools/mcp/servers/box/tools/echo/execute", json={"args": {"text": "hi"}})
    assert run.json() == {"result": "hi", "success": True}
    failed = http.post("/v1/tools/mcp/servers/box/tools/broken/execute", json={"args": {}}).json()
    assert failed["success"] is False
    remote.inside.remove_tool("echo")
    assert http.post("/v1/tools/mcp/servers/box/resync").json() == {
        "added": [],
        "updated": [],
        "deleted": ["echo"],
    }
    gone = http.post("/v1/tools/mcp/servers/box/tools/echo/execute", json={"args": {"text": "hi"}})
    assert gone.status_code == 404


def test_connecting_tells_what_happens(http, config):
    answer = http.post("/v1/tools/mcp/servers/connect", json=config)
    lines = [line for line in answer.text.splitlines() if line]
    assert lines[0] == 'data: {"event":"connection_attempt","server_name":"box"}'
    assert lines[1].startswith('data: {"event":"success","tools":[')
    assert len(lines) == 2


def test_configurations_of_older_clients_name_no_type(http, remote):
    command = {"server_name": "cmd", "command": "/no/such/command", "args": []}
    [ended] = http.put("/v1/tools/mcp/servers", json=command).json()
    assert ended["type"] == "stdio"
    dead = {"server_name": "x", "server_url": "http://127.0.0.1:9/sse"}
    _, made = http.put("/v1/tools/mcp/servers", json=dead).json()
    assert made["type"] == "sse"
    assert http.post("/v1/tools/mcp/servers/test", json=dead).status_code == 502
    unknown = http.put("/v1/tools/mcp/servers", json={**dead, "type": "carrier pigeon"})
    assert unknown.status_code == 422
