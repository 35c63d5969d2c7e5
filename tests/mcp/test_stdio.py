"""Servers that are commands: refused by default; where allowed, in an environment of their own."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from letta_client import Letta
from tests.conftest import ADMIN_KEY

from perdure.config import Settings
from perdure.providers.settings import CatalogSettings
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel

SERVER = """
import os, sys
from mcp.server.mcpserver import MCPServer

server = MCPServer("local")
if os.environ.get("FAIL"):
    sys.exit("the configuration is missing")

@server.tool(structured_output=False)
def environment() -> str:
    "Names and values."
    return "\\n".join(f"{name}={value}" for name, value in sorted(os.environ.items()))

@server.tool(structured_output=False)
def die() -> str:
    "End the process."
    os._exit(3)

server.run("stdio")
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that allows commands."""
    home = tmp_path_factory.mktemp("stdio")
    settings = Settings.model_validate(
        {
            "home": home,
            "api_key": ADMIN_KEY,
            "models": CatalogSettings(detect=False),
            "mcp": {"stdio": "unsafe-local"},
        }
    )
    yield from serve(settings, ScriptedModel())


@pytest.fixture
def client(local: LiveServer) -> Iterator[Letta]:
    with Letta(base_url=local.url, api_key=ADMIN_KEY, max_retries=0, timeout=30) as letta:
        yield letta
        for server in letta.mcp_servers.list():
            letta.mcp_servers.delete(server.id)


@pytest.fixture
def add(client: Letta, tmp_path: Any) -> Any:
    script = tmp_path / "server.py"
    script.write_text(SERVER)

    def make(**config: Any) -> Any:
        command = {"mcp_server_type": "stdio", "command": sys.executable, "args": [str(script)], **config}
        return client.mcp_servers.create(server_name="local", config=command)

    return make


def test_a_command_is_run_in_an_environment_of_its_own(client, add, local, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    server = add(env={"TOKEN": "abc", "SHOWN": "{{ X }}"})
    assert server.env == {"TOKEN": "<redacted>", "SHOWN": "{{ X }}"}
    assert "X" in server.health["error"]
    client.mcp_servers.update(
        server.id,
        config={"mcp_server_type": "stdio", "command": None, "args": None, "env": {"TOKEN": "<redacted>"}},
    )
    client.mcp_servers.refresh(server.id)
    tools = {tool.name: tool for tool in client.mcp_servers.tools.list(server.id)}
    told = client.mcp_servers.tools.run(tools["environment"].id, mcp_server_id=server.id).func_return
    values = dict(line.split("=", 1) for line in told.splitlines())
    assert values["TOKEN"] == "abc"
    assert values["HOME"].startswith(str(local.settings.home))
    assert not {"OPENAI_API_KEY", "PERDURE_API_KEY"} & set(values)
    for name in set(os.environ) & set(values) - {
        "PATH",
        "HOME",
        "TERM",
        "SHELL",
        "USER",
        "LOGNAME",
        "TMPDIR",
    }:
        assert name.startswith(("LC_", "PYTHON", "__")), name


def test_a_command_that_dies_is_started_again(client, add):
    server = add()
    tools = {tool.name: tool for tool in client.mcp_servers.tools.list(server.id)}
    died = client.mcp_servers.tools.run(tools["die"].id, mcp_server_id=server.id)
    assert died.status == "error"
    assert "ended the connection" in died.stderr[0]
    again = client.mcp_servers.tools.run(tools["environment"].id, mcp_server_id=server.id)
    assert again.status == "success", again.stderr


def test_what_a_command_complained_of_is_told(client, add):
    server = add(env={"FAIL": "1"})
    assert server.health["status"] == "failing"
    assert "the configuration is missing" in server.health["error"]


def test_a_command_that_is_not_there_is_told(client, add):
    server = add(command="/no/such/command")
    assert "No such file" in server.health["error"]
