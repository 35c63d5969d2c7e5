"""Killed while a tool of a user works: its processes die, and the run goes on with what is known."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import until
from tests.conftest import DIALECTS, new_database_url
from tests.journeys.server_process import ServerProcess

MARK = "4211.75"
SOURCE = f'''
import os, subprocess

def work() -> str:
    """Take long, but not the second time."""
    if os.environ.get("SECOND"):
        return "done"
    subprocess.run(["/bin/sleep", "{MARK}"])
'''


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url, remove = new_database_url(request.param, tmp_path)
    yield url
    remove()


def alive() -> list[str]:
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        found += [folder.name] if MARK.encode() in words else []
    return found


def test_a_repeatable_tool_is_called_again_another_is_told_as_unknown(
    database_url: str, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path, database_url)
    client = Letta(base_url=server.url, max_retries=0, timeout=20)
    tools = {
        name: client.tools.create(source_code=SOURCE.replace("work", name)) for name in ("again", "once")
    }
    path = f"{server.url}/v1/tools/{tools['again'].id}"
    httpx.patch(path, json={"metadata_": {"repeatable": True}}).raise_for_status()
    sandbox = httpx.post(f"{server.url}/v1/sandbox-config/local/default").json()["id"]
    runs: dict[str, tuple[str, str]] = {}
    for name, tool in tools.items():
        agent = client.agents.create(model="scripted/caller", tool_ids=[tool.id], include_base_tools=False)
        runs[name] = (agent.id, client.agents.messages.create_async(agent.id, input=name).id)
    until(lambda: len(alive()) == len(tools))
    # The second time, it sees a variable and is done at once.
    variable = {"key": "SECOND", "value": "yes"}
    variables = f"{server.url}/v1/sandbox-config/{sandbox}/environment-variable"
    httpx.post(variables, json=variable).raise_for_status()
    server.kill()
    until(lambda: not alive())
    server = ServerProcess(tmp_path, database_url)
    client = Letta(base_url=server.url, max_retries=0, timeout=20)
    for _, run_id in runs.values():
        until(lambda run_id=run_id: client.runs.retrieve(run_id).status == "completed")
    said = {name: _said(client, agent_id) for name, (agent_id, _) in runs.items()}
    assert said["again"] == ("success", "done")
    assert said["once"][0] == "error"
    assert "it may or may not have taken effect" in said["once"][1]
    server.kill()


def _said(client: Letta, agent_id: str) -> tuple[str, str]:
    history = list(client.agents.messages.list(agent_id, order="asc"))
    [returned] = [m for m in history if m.message_type == "tool_return_message"]
    return returned.tool_returns[0].status, returned.tool_returns[0].tool_return
