"""Perdure as a server of the Model Context Protocol, asked by the official client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from letta_client import Letta
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from tests.conftest import LiveServer

from perdure.providers.base import ModelAuthenticationError
from perdure.testing.scripted import ScriptedModel, call, fail, say

READING = ["list_agents", "read_memory", "read_messages", "search_messages", "search_archival_memory"]
TOOLS = [*READING, "message_agent", "insert_archival_memory"]


@pytest.fixture(params=["legacy", "auto"])
def visit(request: pytest.FixtureRequest, live: LiveServer, api_key: str) -> Any:
    """The official client, in the protocol's older way of sessions and in the newer one without."""

    @asynccontextmanager
    async def visited(key: str = api_key) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(f"{live.url}/mcp", http_client=http)
            async with Client(transport, mode=request.param) as client:
                yield client

    return visited


@pytest.fixture
def agent(client: Letta, model_name: str) -> Any:
    return client.agents.create(
        name=f"Ada of {model_name}",
        description="Keeps the books.",
        model=f"scripted/{model_name}",
        memory_blocks=[{"label": "human", "value": "Likes tea.", "description": "Who they are"}],
        tags=["books"],
    )


async def test_a_client_is_told_the_tools_and_which_of_them_change_nothing(visit: Any) -> None:
    async with visit() as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == TOOLS
    assert [tool.name for tool in tools if tool.annotations.read_only_hint] == READING
    assert tools[5].input_schema["required"] == ["agent", "message"]
    assert all(field["description"] for tool in tools for field in tool.input_schema["properties"].values())


async def test_an_agent_is_found_told_something_and_read(
    visit: Any, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    scripted.script(model_name, say("The balance is 7 crowns."))
    async with visit() as client:
        listed = await client.call_tool("list_agents", {"query": agent.name})
        assert [each["id"] for each in listed.structured_content["agents"]] == [agent.id]
        assert listed.structured_content["agents"][0]["tags"] == ["books"]
        told = await client.call_tool("message_agent", {"agent": agent.name, "message": "The balance?"})
        assert told.structured_content["answer"] == "The balance is 7 crowns."
        assert told.structured_content["stop_reason"] == "end_turn"
        memory = await client.call_tool("read_memory", {"agent": agent.id})
        assert memory.structured_content["blocks"][0]["value"] == "Likes tea."
        read = await client.call_tool("read_messages", {"agent": agent.id, "limit": 2})
        assert [(each["role"], each["text"]) for each in read.structured_content["messages"]] == [
            ("user", "The balance?"),
            ("assistant", "The balance is 7 crowns."),
        ]
        found = await client.call_tool("search_messages", {"agent": agent.id, "query": "crowns"})
        assert [each["role"] for each in found.structured_content["messages"]] == ["assistant"]


async def test_what_is_said_goes_into_the_conversation_that_was_named(
    visit: Any, client: Letta, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    scripted.script(model_name, say("Here."))
    conversation = client.conversations.create(agent_id=agent.id)
    other = client.agents.create(model=f"scripted/{model_name}")
    asked = {"message": "Where?", "conversation_id": conversation.id}
    async with visit() as mcp:
        told = await mcp.call_tool("message_agent", {"agent": agent.id, **asked})
        assert told.structured_content["answer"] == "Here."
        refused = await mcp.call_tool("message_agent", {"agent": other.id, **asked})
    assert refused.is_error
    assert "conversation_id" in refused.content[0].text
    said = client.conversations.messages.list(conversation.id)
    assert [each.content for each in said if each.message_type == "user_message"] == ["Where?"]


async def test_a_call_that_waits_for_approval_is_told(
    visit: Any, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    scripted.script(model_name, call("memory_insert", label="human", new_string="x"))
    agent = client.agents.create(
        model=f"scripted/{model_name}",
        memory_blocks=[{"label": "human", "value": ""}],
        tool_rules=[{"type": "requires_approval", "tool_name": "memory_insert"}],
    )
    async with visit() as mcp:
        told = await mcp.call_tool("message_agent", {"agent": agent.id, "message": "Note x."})
    assert told.structured_content["stop_reason"] == "requires_approval"
    assert "waits for approval" in told.structured_content["answer"]


async def test_what_is_wrong_is_told_as_a_result_that_a_model_can_read(
    visit: Any, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    scripted.script(model_name, fail(ModelAuthenticationError("The key is not taken.")))
    async with visit() as client:
        for name, arguments, words in (
            ("read_memory", {"agent": "nobody"}, "there is no agent `nobody`"),
            ("read_memory", {}, "missing parameter 'agent'"),
            ("read_messages", {"agent": agent.id, "limit": "many"}, "'limit' must be"),
            ("message_agent", {"agent": agent.id, "message": "hi"}, "The key is not taken."),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert words in result.content[0].text
        with pytest.raises(MCPError, match="There is no tool"):
            await client.call_tool("drop_agents", {})


async def test_agents_and_blocks_are_resources(visit: Any, agent: Any) -> None:
    uri = f"perdure://agents/{agent.id}"
    async with visit() as client:
        listed = (await client.list_resources()).resources
        assert {uri, f"{uri}/blocks/human"} <= {each.uri for each in listed}
        whole = await client.read_resource(uri)
        assert '"human":"Likes tea."' in whole.contents[0].text
        block = await client.read_resource(f"{uri}/blocks/human")
        assert (block.contents[0].text, block.contents[0].mime_type) == ("Likes tea.", "text/plain")
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.name for each in templates] == ["agent", "block", "archive"]
        for wrong in (f"{uri}/blocks/none", "perdure://blocks", f"perdure://agents/{'agent-' + '0' * 36}"):
            with pytest.raises(MCPError):
                await client.read_resource(wrong)


async def test_archival_memory_is_written_and_searched(visit: Any, client: Letta, agent: Any) -> None:
    async with visit() as mcp:
        kept = await mcp.call_tool(
            "insert_archival_memory", {"agent": agent.name, "text": "The safe is blue.", "tags": ["safe"]}
        )
        archive_id = kept.structured_content["archive_id"]
        for query, tags, texts in (
            ("the safe", None, ["The safe is blue."]),
            ("the safe", ["safe"], ["The safe is blue."]),
            ("the safe", ["door"], []),
        ):
            asked = {"agent": agent.id, "query": query, "tags": tags}
            found = await mcp.call_tool("search_archival_memory", asked)
            assert [each["content"] for each in found.structured_content["memories"]] == texts
        uri = f"perdure://archives/{archive_id}"
        assert uri in {each.uri for each in (await mcp.list_resources()).resources}
        read = await mcp.read_resource(uri)
        assert '"text":"The safe is blue."' in read.contents[0].text
        refused = await mcp.call_tool("insert_archival_memory", {"agent": agent.id, "text": "x " * 20_000})
        assert "at most 8192 tokens" in refused.content[0].text
    assert [each.text for each in client.agents.passages.list(agent.id)] == ["The safe is blue."]


async def test_all_resources_are_listed_page_by_page_each_once(
    visit: Any, client: Letta, model_name: str
) -> None:
    made = {client.agents.create(model=f"scripted/{model_name}").id for _ in range(53)}
    made |= {client.archives.create(name="x").id for _ in range(53)}
    listed: list[str] = []
    async with visit() as mcp:
        cursor = None
        while True:
            page = await mcp.list_resources(cursor=cursor)
            listed += [each.uri.rsplit("/", 1)[1] for each in page.resources]
            cursor = page.next_cursor
            if not cursor:
                break
    assert made <= set(listed)
    assert len(listed) == len(set(listed))


async def test_no_client_sees_another_organizations_agents(
    visit: Any, client: Letta, agent: Any, new_key: Any
) -> None:
    archive = client.archives.create(name="mine")
    async with visit(new_key()) as stranger:
        assert (await stranger.call_tool("list_agents", {})).structured_content == {"agents": []}
        assert (await stranger.call_tool("read_memory", {"agent": agent.id})).is_error
        for name, field in (("search_archival_memory", "query"), ("insert_archival_memory", "text")):
            assert (await stranger.call_tool(name, {"agent": agent.id, field: "x"})).is_error
        assert (await stranger.call_tool("message_agent", {"agent": agent.id, "message": "hi"})).is_error
        assert (await stranger.list_resources()).resources == []
        with pytest.raises(MCPError):
            await stranger.read_resource(f"perdure://agents/{agent.id}/blocks/human")
        with pytest.raises(MCPError):
            await stranger.read_resource(f"perdure://archives/{archive.id}")


def test_without_a_key_nothing_is_answered(live: LiveServer) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for headers in (accept, {**accept, "Authorization": "Bearer wrong"}):
        answer = httpx.post(f"{live.url}/mcp", json=asked, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
