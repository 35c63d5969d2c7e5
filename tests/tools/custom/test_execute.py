"""A tool that a user wrote: called with what the model said, its result told, its faults too."""

import json
import os
import time

import httpx
import pytest
from tests.tools.custom.conftest import source_of

from perdure.testing.scripted import call, say

SECRET = "s3cret-of-the-agent"


def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    print("adding")
    return a + b


def test_its_value_and_what_it_printed_come_back(make_tool, ask):
    returned = ask(make_tool(add), {"a": 40})
    assert (returned.status, returned.tool_return) == ("success", "42")
    assert returned.tool_returns[0].stdout == ["adding\n"]


GREET = '''
import typing

def greet(name: str, title: str | None, *, of: typing.Optional[str], mark: str = "!") -> str:
    """Greet somebody.

    Args:
        name: Who.
        title: How they are called.
        of: Where they are from.
        mark: How it ends.
    """
    return f"{title} {name} of {of}{mark}"
'''


def test_what_may_be_none_and_has_no_default_is_none_where_a_model_leaves_it_out(make_tool, ask):
    tool = make_tool(GREET)
    assert tool.json_schema["parameters"]["required"] == ["name"]
    assert ask(tool, {"name": "Ada"}).tool_return == "None Ada of None!"
    assert ask(tool, {"name": "Ada", "title": "Dr", "of": "London"}).tool_return == "Dr Ada of London!"


def broken(city: str) -> str:
    """Break.

    Args:
        city: Where.
    """
    print("so far so good")
    raise ValueError(f"no such city: {city}")


def test_its_exception_is_told_to_the_model_and_its_traceback_to_the_client(make_tool, ask):
    returned = ask(make_tool(broken), {"city": "Atlantis"})
    assert returned.status == "error"
    assert returned.tool_return == "Error executing function broken: ValueError: no such city: Atlantis"
    [stderr] = returned.tool_returns[0].stderr
    assert 'line 8, in broken\n    raise ValueError(f"no such city: {city}")' in stderr
    assert returned.tool_returns[0].stdout == ["so far so good\n"]


def test_a_call_that_takes_too_long_is_stopped_and_told(http, make_tool, ask):
    source = 'def endless() -> None:\n    """Never end."""\n    while True:\n        pass\n'
    tool = make_tool(source)
    http.patch(f"/v1/tools/{tool.id}", json={"metadata_": {"limits": {"wall_seconds": 0.3}}})
    began = time.monotonic()
    returned = ask(tool)
    assert time.monotonic() - began < 5
    assert returned.status == "error"
    assert returned.tool_return == "Error executing function endless: It was stopped after 0.3 seconds."
    assert "It was stopped after 0.3 seconds." in returned.tool_returns[0].stderr[0]


def test_what_its_metadata_says_wrongly_is_told(http, make_tool, ask):
    tool = make_tool('def idle() -> None:\n    """Do nothing."""\n')
    http.patch(f"/v1/tools/{tool.id}", json={"metadata_": {"limits": {"memory_mb": "much"}}})
    returned = ask(tool)
    assert returned.status == "error"
    assert returned.tool_return.startswith("The limits of the tool idle are not right: memory_mb")


def environment(name: str) -> dict:
    """Show the environment.

    Args:
        name: Of the variable.
    """
    return {"value": os.environ.get(name), "names": sorted(os.environ)}


IMPORTS = "import json\nimport os\nimport time\n"


def test_variables_come_in_layers_and_the_servers_own_never(http, client, make_tool, ask, monkeypatch):
    monkeypatch.setenv("PERDURE_SERVER_SECRET", "of the server")
    sandbox = http.post("/v1/sandbox-config/local/default").json()["id"]
    for key, value in {"CITY": "Köln", "RIVER": "Rhein"}.items():
        http.post(f"/v1/sandbox-config/{sandbox}/environment-variable", json={"key": key, "value": value})
    tool = make_tool(IMPORTS + source_of(environment))
    returned = ask(tool, {"name": "CITY"}, secrets={"CITY": "Bonn"})
    told = json.loads(returned.tool_return)
    assert told["value"] == "Bonn", "an agent's secret wins"
    assert {"CITY", "RIVER", "LETTA_AGENT_ID", "LETTA_TOOL_ID"} <= set(told["names"])
    assert not [name for name in told["names"] if name.startswith("PERDURE") or name == "DATABASE_URL"]
    assert json.loads(ask(tool, {"name": "LETTA_TOOL_ID"}).tool_return)["value"] == tool.id
    assert json.loads(ask(tool, {"name": "LETTA_PROJECT_ID"}).tool_return)["value"] is None


def leak(how: str) -> object:
    """Say what is not to be said.

    Args:
        how: In which way.
    """
    secret = os.environ["TOKEN"]
    print("out", secret)
    if how == "raise":
        raise RuntimeError(f"refused: {secret}")
    return {"value": {"list": [secret], secret: 1, "json": json.dumps({"a": secret})}, "text": f"<{secret}>"}[
        how
    ]


@pytest.mark.parametrize("how", ["value", "text", "raise"])
def test_secrets_reach_neither_model_nor_client(scripted, model_name, make_tool, ask, http, how):
    returned = ask(
        make_tool(IMPORTS + source_of(leak)), {"how": how}, secrets={"TOKEN": SECRET}, model_name=model_name
    )
    assert returned.status == ("error" if how == "raise" else "success")
    assert SECRET not in returned.model_dump_json()
    assert "[redacted TOKEN]" in returned.tool_return
    assert returned.tool_returns[0].stdout == ["out [redacted TOKEN]\n"]
    assert all(SECRET not in repr(request) for request in scripted.requests[model_name])
    assert len(scripted.requests[model_name]) == 2


def who(agent_id: str, agent_state: object) -> str:
    """Tell who asks.

    Returns:
        The name.
    """
    agent_state.memory.update_block_value(label="human", value="Ann likes " + agent_state.blocks[0].value)
    labels = agent_state.memory.list_block_labels()
    return f"{agent_id} {agent_state.id} {agent_state.name} {agent_state['name']} {labels}"


def test_it_is_told_its_agent_and_may_change_memory(client, http, make_tool, scripted, model_name):
    tool = make_tool(who)
    assert tool.json_schema["parameters"]["properties"] == {}
    model = scripted.script(model_name, call("who"), say("done"))
    agent = client.agents.create(
        name="Bob", model=model, tool_ids=[tool.id], memory_blocks=[{"label": "human", "value": "tea"}]
    )
    answer = client.agents.messages.create(agent.id, input="go")
    returned = next(m for m in answer.messages if m.message_type == "tool_return_message")
    assert returned.tool_return == f"{agent.id} {agent.id} Bob Bob ['human']"
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Ann likes tea"


def test_memory_that_may_not_change_is_told_and_nothing_of_it_stored(
    client, make_tool, ask, scripted, model_name
):
    source = (
        'async def write(agent_state) -> str:\n    """Write."""\n'
        "    for block in agent_state.memory.get_blocks():\n        block.value = 'new'\n    return 'ok'\n"
    )
    tool = make_tool(source)
    model = scripted.script(model_name, call("write"), say("done"))
    blocks = [{"label": "a", "value": "old"}, {"label": "b", "value": "old", "read_only": True}]
    agent = client.agents.create(model=model, tool_ids=[tool.id], memory_blocks=blocks)
    answer = client.agents.messages.create(agent.id, input="go")
    returned = next(m for m in answer.messages if m.message_type == "tool_return_message")
    assert returned.status == "error"
    assert "was not stored: Block 'b' is read-only" in returned.tool_return
    assert client.agents.blocks.retrieve("a", agent_id=agent.id).value == "old"


TYPED = '''
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Literal, Optional
from typing import Literal, Optional

class Size(Enum):
    """Sizes."""
    SMALL = "small"

@dataclass
class Item:
    """An item.

    Attributes:
        name: Its name.
        until: When.
    """
    name: str
    until: date

def order(items: list[Item], size: Size, mode: Literal["a", "b"], note: str | None = None) -> str:
    """Order.

    Args:
        items: What.
        size: How large.
        mode: How.
        note: More.
    """
    return f"{items!r} {size!r} {mode!r} {note!r}"
'''


def test_arguments_come_in_the_types_of_its_hints(make_tool, ask):
    item = {"name": "tea", "until": "2026-11-23"}
    returned = ask(make_tool(TYPED), {"items": [item], "size": "small", "mode": "a"})
    assert returned.status == "success", returned.tool_returns[0].stderr
    assert returned.tool_return == (
        "[Item(name='tea', until=datetime.date(2026, 11, 23))] <Size.SMALL: 'small'> 'a' None"
    )


def test_an_async_tool_is_awaited(make_tool, ask):
    source = (
        'import asyncio\nasync def rest() -> str:\n    """Rest."""\n'
        '    await asyncio.sleep(0)\n    return "rested"\n'
    )
    assert ask(make_tool(source)).tool_return == "rested"


def test_a_long_result_is_cut_once_and_its_true_length_told(make_tool, ask):
    source = 'def long() -> str:\n    """Say much."""\n    return "x" * 5000\n'
    returned = ask(make_tool(source, return_char_limit=50))
    assert returned.tool_return == "x" * 50 + "… [the first 50 of 5000 characters]"


def test_without_network_the_way_to_it_is_told(make_tool, ask):
    source = (
        'import urllib.request\ndef fetch() -> str:\n    """Fetch."""\n'
        '    return urllib.request.urlopen("http://example.com").read().decode()\n'
    )
    returned = ask(make_tool(source))
    assert returned.status == "error"
    assert "PERDURE_TOOLS_HOSTS names those they may" in returned.tool_return


def test_a_tool_of_another_organization_sees_none_of_it(http, make_tool, ask, new_key, live):
    with httpx.Client(base_url=live.url, headers={"Authorization": f"Bearer {new_key()}"}) as other:
        sandbox = other.post("/v1/sandbox-config/local/default").json()["id"]
        path = f"/v1/sandbox-config/{sandbox}/environment-variable"
        other.post(path, json={"key": "THEIRS", "value": "x" * 20})
    returned = ask(make_tool(IMPORTS + source_of(environment)), {"name": "THEIRS"})
    assert json.loads(returned.tool_return)["value"] is None
