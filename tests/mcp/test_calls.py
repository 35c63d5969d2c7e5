"""Agents call tools of servers: results, errors, secrets, cancelling, sessions that ended."""

import json
import threading
import time
from typing import Any

import pytest
from tests.mcp.remote import running

from perdure.testing.scripted import call, say


@pytest.fixture
def talk(client: Any, scripted: Any, model_name: str) -> Any:
    """An agent with these tools makes one call; its return is what comes back."""

    def make(tool: Any, secrets: dict[str, str] | None = None, **arguments: Any) -> Any:
        model = scripted.script(model_name, call(tool.name, **arguments), say("done"))
        agent = client.agents.create(
            name="a", model=model, include_base_tools=False, tool_ids=[tool.id], secrets=secrets or {}
        )
        answer = client.agents.messages.create(agent.id, input="go")
        assert answer.stop_reason.stop_reason == "end_turn"
        [returned] = [one for one in answer.messages if one.message_type == "tool_return_message"]
        return returned

    return make


@pytest.mark.parametrize(
    ("kind", "older"), [("streamable_http", False), ("streamable_http", True), ("sse", False)]
)
def test_an_agent_calls_a_remote_tool(register, tools_of, talk, kind, older):
    with running(kind=kind, older=older) as remote:
        tools = tools_of(register(remote.url, kind=kind))
        returned = talk(tools["echo"], text="héllo 🌍")
        assert (returned.status, returned.tool_return) == ("success", "héllo 🌍")
        assert remote.calls == ["héllo 🌍"]


def test_structured_results_and_files_are_told_as_text(register, tools_of, talk, remote, client):
    server = register(remote.url)
    tools = tools_of(server)
    told = client.mcp_servers.tools.run(tools["weather"].id, mcp_server_id=server.id, args={"city": "Rome"})
    assert json.loads(told.func_return) == {"city": "Rome", "degrees": 21}
    picture = client.mcp_servers.tools.run(tools["picture"].id, mcp_server_id=server.id)
    assert picture.func_return.splitlines() == [
        "here",
        "[image: image/png, 8 bytes]",
        "[resource: file:///tmp/more.txt, more, text/plain]",
    ]


def test_a_failing_tool_is_news_for_the_model(register, tools_of, talk, remote):
    returned = talk(tools_of(register(remote.url))["broken"])
    assert returned.status == "error"
    assert "broken" in returned.tool_return


def test_wrong_arguments_never_reach_the_server(register, tools_of, talk, remote):
    returned = talk(tools_of(register(remote.url))["add"], a=1)
    assert returned.status == "error"
    assert "missing parameter 'b'" in returned.tool_return
    assert remote.calls == []


def test_secrets_of_the_agent_fill_in_the_headers(register, tools_of, talk, remote):
    server = register(
        remote.url,
        auth_token="{{ BOX_TOKEN | guest }}",
        custom_headers={"X-Team": "team-{{ TEAM | none }}"},
    )
    assert remote.headers[-1]["authorization"] == "Bearer guest"
    assert server.auth_token == "<redacted>"
    returned = talk(tools_of(server)["add"], {"BOX_TOKEN": "t0ken", "TEAM": "blue"}, a=1, b=2)
    assert returned.tool_return == "3"
    assert (remote.headers[-1]["authorization"], remote.headers[-1]["x-team"]) == (
        "Bearer t0ken",
        "team-blue",
    )


def test_secrets_are_not_read_in_answers(register, tools_of, talk, remote):
    server = register(remote.url, custom_headers={"X-Api-Key": "{{ BOX_KEY | none }}", "X-Team": "blue-team"})
    told = talk(tools_of(server)["echo"], {"BOX_KEY": "s3cret-s3cret"}, text="s3cret-s3cret of blue-team")
    assert told.tool_return == "[redacted BOX_KEY] of blue-team"
    assert remote.calls == ["s3cret-s3cret of blue-team"]


def test_a_secret_that_is_missing_is_named(register, client, tools_of, talk, remote):
    server = register(remote.url)
    tool = tools_of(server)["add"]
    config = {"mcp_server_type": "streamable_http", "server_url": None, "auth_token": "{{ BOX_TOKEN }}"}
    client.mcp_servers.update(server.id, config=config)
    returned = talk(tool, a=1, b=2)
    assert returned.status == "error"
    assert "BOX_TOKEN" in returned.tool_return


def test_a_refresh_can_use_the_secrets_of_an_agent(register, client, tools_of, remote):
    server = register(remote.url, auth_token="{{ BOX_TOKEN }}")
    assert tools_of(server) == {}
    agent = client.agents.create(name="a", model="demo/offline", secrets={"BOX_TOKEN": "abc"})
    changes = client.mcp_servers.refresh(server.id, agent_id=agent.id)
    assert "echo" in changes["added"]
    assert remote.headers[-1]["authorization"] == "Bearer abc"


def test_a_dead_server_costs_an_error_and_then_fails_at_once(register, tools_of, client, talk):
    with running() as remote:
        server = register(remote.url)
        tool = tools_of(server)["echo"]
    returned = talk(tool, text="x")
    assert returned.status == "error"
    assert "cannot be connected to" in returned.tool_return
    assert client.mcp_servers.retrieve(server.id).health["status"] == "failing"
    again = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"text": "x"})
    assert "tried a moment ago" in again.stderr[0]


def test_a_server_that_was_restarted_is_connected_to_again(register, tools_of, client):
    for older in (False, True):
        with running(older=older) as remote:
            server = register(remote.url, name=f"box {older}")
            tool = next(
                one for one in tools_of(server).values() if one.metadata_["mcp"]["tool_name"] == "echo"
            )
            port = int(remote.url.split(":")[2].split("/")[0])
            assert (
                client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"text": "1"}).func_return
                == "1"
            )
        with running(port=port, older=older) as remote:
            done = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"text": "2"})
            assert (done.status, done.func_return) == ("success", "2"), done.stderr
            assert remote.calls == ["2"]


def test_sessions_are_shared_and_closed_when_idle(register, tools_of, client, live, remote):
    server = register(remote.url)
    tool = tools_of(server)["echo"]
    pool = live.app.state.mcp_servers.pool
    for _ in range(3):
        client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"text": "x"})
    mine = [key for key in pool._entries if key.startswith(server.id)]
    assert len(mine) == 1
    pool._entries[mine[0]].used_at -= 10_000
    live.ask(pool._sweep())
    assert mine[0] not in pool._entries


def test_cancelling_a_run_cancels_the_remote_call(register, tools_of, client, scripted, model_name, remote):
    tool = tools_of(register(remote.url))["slow"]
    model = scripted.script(model_name, call("slow"), say("done"))
    agent = client.agents.create(name="a", model=model, include_base_tools=False, tool_ids=[tool.id])
    run = client.agents.messages.create_async(agent.id, input="go")
    _until(lambda: "begun" in remote.calls)
    client.agents.messages.cancel(agent.id, run_ids=[run.id])
    _until(lambda: "cancelled" in remote.calls)
    assert client.runs.retrieve(run.id).status == "cancelled"


def test_many_calls_share_a_session(register, tools_of, client, remote):
    server = register(remote.url)
    tool = tools_of(server)["add"]
    results: list[Any] = []

    def one(number: int) -> None:
        done = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"a": number, "b": 1})
        results.append((number, done.func_return))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(number, str(number + 1)) for number in range(12)]


def _until(met: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_agents_tool_is_run_for_it(register, tools_of, client, remote):
    server = register(remote.url, custom_headers={"X-Team": "{{ TEAM | none }}"})
    tool = tools_of(server)["add"]
    agent = client.agents.create(name="a", model="demo/offline", tool_ids=[tool.id], secrets={"TEAM": "blue"})
    done = client.agents.tools.run("add", agent_id=agent.id, args={"a": 2, "b": 2})
    assert (done.status, done.func_return) == ("success", "4")
    assert remote.headers[-1]["x-team"] == "blue"
