"""Servers that others published on npm and PyPI, fetched once into a cache; skipped where there are none."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from letta_client import Letta
from tests.conftest import ADMIN_KEY

from perdure.config import Settings
from perdure.providers.settings import CatalogSettings
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel, call, say

EVERYTHING = "@modelcontextprotocol/server-everything"
VERSION = "2026.8.31"
FAST = """
from fastmcp import FastMCP

server = FastMCP("fast")

@server.tool
def double(number: int) -> int:
    "Twice as much."
    return 2 * number

server.run(show_banner=False)
"""


@pytest.fixture(scope="module")
def everything() -> Path:
    """The script of npm's reference server, which has a tool of every manner."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        pytest.skip("no Node.js here")
    folder = Path(tempfile.gettempdir()) / f"perdure-everything-{VERSION}"
    script = folder / "node_modules" / EVERYTHING / "dist" / "index.js"
    if not script.exists():
        folder.mkdir(exist_ok=True)
        words = [
            npm,
            "install",
            "--prefix",
            str(folder),
            "--no-audit",
            "--no-fund",
            f"{EVERYTHING}@{VERSION}",
        ]
        fetched = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        if fetched.returncode or not script.exists():
            pytest.skip(f"npm does not give {EVERYTHING}: {fetched.stderr[-200:]}")
    return script


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that allows commands and loopback."""
    settings = Settings.model_validate(
        {
            "home": tmp_path_factory.mktemp("published"),
            "api_key": ADMIN_KEY,
            "models": CatalogSettings(detect=False),
            "outbound": {"networks": ["127.0.0.0/8"]},
            "mcp": {"stdio": "unsafe-local"},
        }
    )
    yield from serve(settings, ScriptedModel())


@pytest.fixture
def client(local: LiveServer) -> Iterator[Letta]:
    with Letta(base_url=local.url, api_key=ADMIN_KEY, max_retries=0, timeout=60) as letta:
        yield letta
        for server in letta.mcp_servers.list():
            letta.mcp_servers.delete(server.id)


@pytest.fixture(params=["stdio", "streamable_http", "sse"])
def config(request: pytest.FixtureRequest, everything: Path) -> Iterator[dict[str, Any]]:
    """The reference server in each of its transports."""
    node = shutil.which("node") or "node"
    if request.param == "stdio":
        yield {"mcp_server_type": "stdio", "command": node, "args": [str(everything), "stdio"]}
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mode, path = ("sse", "sse") if request.param == "sse" else ("streamableHttp", "mcp")
    process = subprocess.Popen(
        [node, str(everything), mode],
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_port(port)
        yield {"mcp_server_type": request.param, "server_url": f"http://127.0.0.1:{port}/{path}"}
    finally:
        process.kill()
        process.wait()


def test_the_reference_server_of_npm(client, local, config):
    server = client.mcp_servers.create(server_name="everything", config=config)
    assert server.health["status"] == "ok", server.health
    tools = {tool.name: tool for tool in client.mcp_servers.tools.list(server.id)}
    assert {"echo", "get-sum", "get-tiny-image"} <= set(tools)
    model = local.scripted.script(config["mcp_server_type"], call("get-sum", a=20, b=22), say("42"))
    agent = client.agents.create(
        name="a", model=model, include_base_tools=False, tool_ids=[tools["get-sum"].id]
    )
    answer = client.agents.messages.create(agent.id, input="go")
    [returned] = [one for one in answer.messages if one.message_type == "tool_return_message"]
    assert (returned.status, "42" in returned.tool_return) == ("success", True)
    client.agents.delete(agent.id)

    def run(name: str, **args: object) -> Any:
        return client.mcp_servers.tools.run(tools[name].id, mcp_server_id=server.id, args=args)

    assert "[image: image/png, " in run("get-tiny-image").func_return
    assert "temperature" in run("get-structured-content", location="New York").func_return
    assert "[resource: demo://" in run("get-resource-reference").func_return
    assert "[resource: demo://" in run("get-resource-links").func_return
    unasked = run("trigger-long-running-operation", duration=1, steps=2)
    assert unasked.status == "success", unasked.stderr


def test_a_fastmcp_server_of_pypi(client, tmp_path):
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("no uv here")
    script = tmp_path / "fast.py"
    script.write_text(FAST)
    words = ["run", "--no-project", "--python", sys.executable, "--with", "fastmcp", "python"]
    cache = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
    cache["UV_CACHE_DIR"] = subprocess.check_output([uv, "cache", "dir"], text=True).strip()
    fetched = subprocess.run(
        [uv, *words, "-c", "import fastmcp"], capture_output=True, text=True, timeout=120, check=False
    )
    if fetched.returncode:
        pytest.skip(f"PyPI does not give fastmcp: {fetched.stderr[-200:]}")
    config = {"mcp_server_type": "stdio", "command": str(uv), "args": [*words, str(script)], "env": cache}
    server = client.mcp_servers.create(server_name="fast", config=config)
    assert server.health["status"] == "ok", server.health
    [double] = client.mcp_servers.tools.list(server.id)
    done = client.mcp_servers.tools.run(double.id, mcp_server_id=server.id, args={"number": 21})
    assert (done.status, done.func_return) == ("success", "42")


def _await_port(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")
