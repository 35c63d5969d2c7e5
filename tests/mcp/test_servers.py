"""Servers through the official client: added, changed, refreshed, deleted; secrets are never shown."""

import time

import pytest
from letta_client import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError
from mcp.server.mcpserver import Context, MCPServer
from tests.mcp.remote import running, toolbox


@pytest.mark.parametrize("kind", ["streamable_http", "sse"])
def test_a_server_is_added_with_its_tools(client, register, tools_of, kind):
    with running(kind=kind) as remote:
        server = register(remote.url, kind=kind)
        assert server.id.startswith("mcp_server-")
        assert (server.server_name, server.mcp_server_type, server.server_url) == ("box", kind, remote.url)
        assert server.health["status"] == "ok", server.health
        tools = tools_of(server)
        assert set(tools) == {"add", "echo", "weather", "picture", "broken", "slow"}
        add = tools["add"]
        assert (add.tool_type, add.tags) == ("external_mcp", ["mcp:box"])
        assert add.metadata_["mcp"]["server_id"] == server.id
        assert add.metadata_["mcp"]["server_name"] == "box"
        assert add.metadata_["mcp"]["health"]["status"] == "NON_STRICT_ONLY"
        assert set(add.json_schema["parameters"]["properties"]) == {"a", "b"}
        assert client.mcp_servers.tools.retrieve(add.id, mcp_server_id=server.id).name == "add"
        done = client.mcp_servers.tools.run(add.id, mcp_server_id=server.id, args={"a": 2, "b": 3})
        assert (done.status, done.func_return) == ("success", "5")
        assert [one.id for one in client.mcp_servers.list()] == [server.id]


def test_a_server_that_does_not_answer_is_added_and_says_why(client, register, tools_of):
    with running() as remote:
        url = remote.url
    server = register(url)
    assert server.health["status"] == "failing"
    assert "cannot be connected to" in server.health["error"]
    assert tools_of(server) == {}


def test_names_are_unique_and_free_again_after_deleting(client, register, remote):
    server = register(remote.url)
    with pytest.raises(ConflictError, match="exists already"):
        register(remote.url)
    client.mcp_servers.delete(server.id)
    with pytest.raises(NotFoundError):
        client.mcp_servers.retrieve(server.id)
    again = register(remote.url)
    other = register(remote.url, name="other")
    with pytest.raises(ConflictError):
        client.mcp_servers.update(
            other.id,
            server_name="box",
            config={"mcp_server_type": "streamable_http", "server_url": None},
        )
    assert [one.id for one in client.mcp_servers.list()] == [again.id, other.id]


def test_secrets_are_redacted_and_survive_being_sent_back(client, register, remote, live):
    headers = {"X-Key": "hush", "X-Place": "{{ PLACE }}"}
    server = register(remote.url, auth_header="X-Token", auth_token="s3cret", custom_headers=headers)
    assert (server.auth_header, server.auth_token) == ("X-Token", "<redacted>")
    assert server.custom_headers == {"X-Key": "<redacted>", "X-Place": "{{ PLACE }}"}
    assert server.health["status"] == "failing"
    assert "PLACE" in server.health["error"]
    changed = client.mcp_servers.update(
        server.id,
        config={
            "mcp_server_type": "streamable_http",
            "server_url": remote.url,
            "auth_token": server.auth_token,
            "custom_headers": {"X-Key": "<redacted>", "X-New": "n"},
        },
    )
    assert changed.custom_headers == {"X-Key": "<redacted>", "X-New": "<redacted>"}
    client.patch(f"/v1/mcp-servers/{server.id}/refresh", cast_to=object)
    sent = remote.headers[-1]
    assert (sent["x-token"], sent["x-key"], sent["x-new"]) == ("s3cret", "hush", "n")
    assert "authorization" not in sent


def test_a_token_without_a_header_is_a_bearer(client, register, remote):
    server = register(remote.url, auth_token="abc")
    assert remote.headers[-1]["authorization"] == "Bearer abc"
    client.mcp_servers.update(
        server.id,
        config={"mcp_server_type": "streamable_http", "server_url": None, "auth_token": "Basic xyz"},
    )
    client.mcp_servers.refresh(server.id)
    assert remote.headers[-1]["authorization"] == "Basic xyz"
    cleared = client.mcp_servers.update(
        server.id, config={"mcp_server_type": "streamable_http", "server_url": None, "auth_token": None}
    )
    assert cleared.auth_token is None
    client.mcp_servers.refresh(server.id)
    assert "authorization" not in remote.headers[-1]


def test_a_redacted_secret_is_not_sent_to_another_host(client, register, remote):
    server = register(remote.url, auth_token="abc")
    other = {"mcp_server_type": "streamable_http", "server_url": "http://127.0.0.1:9/mcp"}
    with pytest.raises(UnprocessableEntityError, match="sent anew"):
        client.mcp_servers.update(server.id, config=other)
    with pytest.raises(UnprocessableEntityError, match="sent anew"):
        client.mcp_servers.update(server.id, config={**other, "auth_token": "<redacted>"})
    moved = client.mcp_servers.update(server.id, config={**other, "auth_token": "new"})
    assert moved.server_url == other["server_url"]


def test_a_redacted_secret_without_a_stored_one_is_refused(register, remote):
    with pytest.raises(UnprocessableEntityError, match="auth_token"):
        register(remote.url, auth_token="<redacted>")


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/mcp",
        "http://169.254.169.254/latest",
        "http://[::1]:3000/mcp",
        "http://0.0.0.0/",
        "ftp://example.com/",
        "http://me:word@127.0.0.1/mcp",
        "nothing",
    ],
)
def test_addresses_that_may_not_be_reached_are_refused(register, url):
    with pytest.raises(UnprocessableEntityError, match="server_url"):
        register(url)


def test_refreshing_tells_what_changed_and_keeps_what_users_set(client, http, register, tools_of, remote):
    server = register(remote.url)
    before = tools_of(server)
    agent = client.agents.create(
        name="a", model="demo/offline", include_base_tools=False, tool_ids=[before["echo"].id]
    )

    def echo(text: str, loud: bool = False) -> str:
        """Say it again, perhaps loudly."""
        return text

    remote.inside.remove_tool("echo")
    remote.inside.remove_tool("slow")
    remote.inside.add_tool(echo, structured_output=False)
    remote.inside.add_tool(lambda: "new", name="brand_new", description="New.")
    changes = client.mcp_servers.refresh(server.id)
    assert changes == {"added": ["brand_new"], "updated": ["echo"], "deleted": ["slow"]}
    after = tools_of(server)
    assert after["echo"].id == before["echo"].id
    assert "loud" in after["echo"].json_schema["parameters"]["properties"]
    assert [tool.name for tool in client.agents.tools.list(agent.id)] == ["echo"]
    assert client.mcp_servers.refresh(server.id) == {"added": [], "updated": [], "deleted": []}


def test_a_server_that_changed_since_is_shown_as_drifted(client, register, remote):
    server = register(remote.url)
    remote.inside.remove_tool("slow")
    remote.inside.add_tool(lambda: "new", name="brand_new", description="New.")
    listed = client.get(f"/v1/tools/mcp/servers/{server.server_name}/tools", cast_to=object)
    assert "brand_new" in [tool["name"] for tool in listed]
    drift = client.mcp_servers.retrieve(server.id).health["drift"]
    assert drift == {"added": ["brand_new"], "updated": [], "deleted": ["slow"]}
    client.mcp_servers.refresh(server.id)
    assert client.mcp_servers.retrieve(server.id).health["drift"] is None


def test_a_server_tells_that_its_tools_changed(client, register, tools_of):
    def changing(calls: list) -> MCPServer:
        server = toolbox(calls)

        @server.tool(structured_output=False)
        async def change(ctx: Context) -> str:
            """Lose a tool."""
            server.remove_tool("slow")
            await ctx.session.send_tool_list_changed()
            return "changed"

        return server

    with running(changing, older=True) as remote:
        server = register(remote.url)
        change = tools_of(server)["change"]
        assert client.mcp_servers.tools.run(change.id, mcp_server_id=server.id).func_return == "changed"
        end = time.monotonic() + 10
        while not (drift := client.mcp_servers.retrieve(server.id).health["drift"]):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert drift == {"added": [], "updated": [], "deleted": ["slow"]}
        assert "slow" in tools_of(server)


def test_tools_of_one_name_do_not_overwrite_each_other(client, http, register, tools_of):
    with running() as first, running(lambda calls: toolbox(calls, "second")) as second:
        one = tools_of(register(first.url, name="one"))
        two = tools_of(register(second.url, name="two words"))
        assert "add" in one
        assert "two_words__add" in two
        assert two["two_words__add"].metadata_["mcp"]["tool_name"] == "add"
        assert one["add"].id != two["two_words__add"].id

        def send_message(message: str) -> str:
            """A name that is taken by a tool of the server."""
            return message

        first.inside.add_tool(send_message, structured_output=False)
        [server] = [one for one in client.mcp_servers.list() if one.server_name == "one"]
        assert client.mcp_servers.refresh(server.id)["added"] == ["one__send_message"]
        [builtin] = client.tools.list(name="send_message").items
        assert builtin.tool_type == "letta_core"


def test_deleting_a_server_takes_its_tools_from_agents(client, register, tools_of, remote):
    server = register(remote.url)
    ids = [tool.id for tool in tools_of(server).values()]
    agent = client.agents.create(name="a", model="demo/offline", include_base_tools=False, tool_ids=ids)
    client.mcp_servers.delete(server.id)
    assert client.agents.tools.list(agent.id).items == []
    assert client.tools.list(tool_types=["external_mcp"]).items == []


def test_a_renamed_server_keeps_its_tools(client, register, tools_of, remote):
    server = register(remote.url)
    client.mcp_servers.update(
        server.id,
        server_name="crate",
        config={"mcp_server_type": "streamable_http", "server_url": None},
    )
    add = tools_of(server)["add"]
    assert add.tags == ["mcp:crate"]
    assert add.metadata_["mcp"]["server_name"] == "crate"


def test_a_type_cannot_be_changed(client, register, remote):
    server = register(remote.url)
    with pytest.raises(BadRequestError, match="delete it and create another"):
        client.mcp_servers.update(server.id, config={"mcp_server_type": "sse", "server_url": None})


def test_unknown_servers_and_tools_are_not_found(client, register, remote):
    with pytest.raises(NotFoundError):
        client.mcp_servers.retrieve("mcp_server-nothing")
    server = register(remote.url)
    with pytest.raises(NotFoundError):
        client.mcp_servers.tools.run("tool-x", mcp_server_id=server.id)


@pytest.mark.parametrize("depth", [0, 180])
def test_a_tool_that_cannot_be_kept_is_skipped_and_the_others_stay(client, http, register, tools_of, depth):
    with running() as remote:
        schema = {"type": "integer", "maximum": 2**64} if not depth else {"type": "string"}
        for _ in range(depth):
            schema = {"type": "array", "items": schema}
        bad = remote.inside._tool_manager.get_tool("echo")
        bad.parameters = {"type": "object", "properties": {"text": schema}}
        server = register(remote.url)
        assert server.health["status"] == "ok", server.health
        tools = tools_of(server)
        assert set(tools) == {"add", "weather", "picture", "broken", "slow"}
        client.mcp_servers.refresh(server.id)
        told = {tool["name"]: tool for tool in http.get("/v1/tools/mcp/servers/box/tools").json()}
        assert told["echo"]["health"]["status"] == "INVALID"


def test_what_a_server_was_shown_is_not_in_its_listing(client, register, tools_of):
    with running() as remote:
        remote.inside._tool_manager.get_tool("echo").description = "I was shown Bearer s3cret-token"
        tool = tools_of(register(remote.url, auth_token="s3cret-token"))["echo"]
        assert tool.description == "I was shown Bearer [redacted Authorization]"
        assert "s3cret" not in str(tool.json_schema)
