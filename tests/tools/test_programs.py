"""Programs of a model that call its agent's tools."""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from letta_client import Letta
from tests.conftest import LiveServer

from perdure.kit.errors import Forbidden
from perdure.kit.ids import new_id
from perdure.sandbox.base import Outcome
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.settings import SandboxSettings
from perdure.tenancy import run_tokens
from perdure.testing.scripted import ScriptedModel, call, say
from perdure.tools.programs.programs import callable_tools
from perdure.tools.programs.tools import told

NAME = "run_code_with_tools"
ADD = '''
def add(a: int, b: int = 1) -> int:
    """Add.

    Args:
        a: One.
        b: Another.
    """
    if a < 0:
        raise ValueError("below zero")
    return a + b
'''


@pytest.fixture
def run(client: Letta, scripted: ScriptedModel, model_name: str) -> Callable[..., Any]:
    """A function that lets an agent with a memory and a tool of its own run a program; what it is told."""
    client.tools.upsert(source_code=ADD)

    def called(code: str, **fields: Any) -> Any:
        scripted.requests[model_name].clear()
        model = scripted.script(model_name, call(NAME, code=code), say("."))
        blocks: Any = [{"label": "human", "value": "Ada"}]
        tools = [NAME, "add", "memory_insert", "conversation_search"]
        agent = client.agents.create(model=model, tools=tools, memory_blocks=blocks, **fields)
        answer = client.agents.messages.create(agent.id, input="go")
        (found,) = [m for m in answer.messages if m.message_type == "tool_return_message"]
        assert found.status == "success", found.tool_return
        called.agent = agent  # type: ignore[attr-defined]
        return json.loads(found.tool_return)

    return called


def test_a_program_calls_tools_as_functions_and_works_on_what_they_return(run: Any, client: Any):
    answer = run("print('hm')\nsum(add(n) for n in range(3)) + add(1, b=2) + tools['add'](10, 20)")
    assert answer == {"status": "success", "func_return": 39, "stdout": ["hm\n"], "stderr": []}
    answer = run("memory_insert('human', 'Likes tea')\ntype(conversation_search(query='x')).__name__")
    assert answer["func_return"] == "dict"
    blocks = client.agents.blocks.list(run.agent.id)
    assert [block.value for block in blocks] == ["Ada\nLikes tea"]


def test_as_many_programs_as_the_sandbox_has_slots_do_not_keep_their_tools_waiting(
    client: Any, scripted: Any, model_name: Any
):
    client.tools.upsert(source_code=ADD)
    code = "import time\ntime.sleep(0.5)\nadd(1)"
    count = SandboxSettings().concurrency
    agents = [
        client.agents.create(
            model=scripted.script(f"{model_name}-{n}", call(NAME, code=code), say(".")), tools=[NAME, "add"]
        )
        for n in range(count)
    ]

    def ask(agent: Any) -> Any:
        return client.agents.messages.create(agent.id, input="go")

    began = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(ask, agents))
    assert time.monotonic() - began < SandboxSettings().wall_seconds / 2
    for answer in answers:
        (found,) = [m for m in answer.messages if m.message_type == "tool_return_message"]
        assert json.loads(found.tool_return)["func_return"] == 2


async def test_where_one_call_runs_at_once_there_is_a_slot_for_what_a_program_calls():
    settings = SandboxSettings(concurrency=1)
    assert [settings.programs, SandboxSettings(concurrency=3).programs] == [1, 1]
    sandbox = ChosenSandbox(settings)
    try:
        found: Any = await sandbox.choose()
        slots = found.slots
        async with asyncio.timeout(5):
            assert [await slots.places.acquire(), await slots.places.acquire()] == [True, True]
    finally:
        await sandbox.close()


def test_what_a_tool_cannot_do_is_an_error_that_a_program_can_catch(run: Any):
    code = """
said = []
for bad in (lambda: add(-1), lambda: add('x'), lambda: add(1, 2, 3), lambda: add(1, a=2)):
    try:
        bad()
    except (ToolError, TypeError) as error:
        said.append(str(error))
said
"""
    said = run(code)["func_return"]
    assert "below zero" in said[0]
    assert "'a' must be a whole number" in said[1]
    assert said[2:] == ["add takes 2 arguments, not 3", "add was given a twice"]


def test_a_program_that_fails_is_told_with_its_line(run: Any):
    answer = run("x = 1\nadd(-5)")
    assert answer["status"] == "error"
    assert "line 2" in answer["stderr"][0]
    assert "below zero" in answer["stderr"][0]


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "requires_approval", "tool_name": "add"},
        {"type": "max_count_per_step", "tool_name": "add", "max_count_limit": 1},
        {"type": "constrain_child_tools", "tool_name": "memory_insert", "children": ["add"]},
        {
            "type": "conditional",
            "tool_name": NAME,
            "child_output_mapping": {"x": "add"},
            "default_child": None,
        },
    ],
)
def test_a_program_is_no_way_around_approvals_and_rules(run: Any, rule: Any):
    code = "['add' in tools, 'add' in globals(), 'run_code_with_tools' in tools]"
    assert run(code, tool_rules=[rule])["func_return"] == [False, False, False]


def test_a_programs_token_opens_nothing_else(run: Any, live: LiveServer):
    code = """
import os, urllib.request, urllib.error
names = [name for name in os.environ if 'PERDURE' in name]
call = tools['add']
cells = dict(zip(call.__code__.co_freevars, [cell.cell_contents for cell in call.__closure__]))
def ask(path, data=None):
    url = cells['url'].replace('/v1/tools/call', path)
    headers = {'authorization': 'Bearer ' + cells['token'], 'content-type': 'application/json'}
    request = urllib.request.Request(url, data, headers)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
paths = ('/v1/agents/', '/v1/tools/', '/v1/blocks/')
[names, *map(ask, paths), ask('/v1/tools/run', b'{}'), cells['token']]
"""
    names, *codes, token = run(code)["func_return"]
    assert names == []
    assert codes == [403] * 4
    import httpx

    later = httpx.post(
        live.url + run_tokens.CALLS,
        json={"name": "add", "arguments": {"a": 1}},
        headers={"authorization": f"Bearer {token}"},
    )
    assert later.status_code == 403
    assert "Only a program that runs" in later.json()["detail"]


def test_nobody_else_calls_tools_that_way(http: Any):
    answer = http.post(run_tokens.CALLS, json={"name": "send_message"})
    assert answer.status_code == 403


def test_what_a_program_is_calling_ends_with_it(client: Any, scripted: Any, model_name: Any, live: Any):
    """The agent is cancelled while its program waits for a tool that waits for another agent."""
    from threading import Event

    from perdure.testing.scripted import wait

    reached, opened = Event(), Event()

    async def gate() -> None:
        reached.set()
        await asyncio.to_thread(opened.wait, 10)

    other = client.agents.create(model=scripted.script(f"{model_name}-b", wait(gate, say("late"))))
    asks = "send_message_to_agent_and_wait_for_reply"
    code = f"{asks}(message='?', other_agent_id={other.id!r})"
    agent = client.agents.create(
        model=scripted.script(model_name, call(NAME, code=code), say(".")), tools=[NAME, asks]
    )
    run = client.agents.messages.create_async(agent.id, input="go")
    assert reached.wait(10)
    programs = live.app.state.programs.running
    assert programs
    client.agents.messages.cancel(agent.id)
    assert client.runs.retrieve(run.id).status == "cancelled"
    deadline = time.monotonic() + 5
    while programs and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not programs
    opened.set()


def test_the_path_of_a_programs_token():
    program = new_id(run_tokens.PROGRAM)
    run_tokens.check_call("/v1/tools/call", program)
    for path in ("/v1/tools/", "/v1/agents/", "/v1/tools/call/x", "/latest/tools/call"):
        with pytest.raises(Forbidden):
            run_tokens.check_call(path, program)


def test_which_tools_and_what_is_told_are_plain():
    assert callable_tools([], [{"type": "continue_loop", "tool_name": "x"}]) == {}
    assert told(Outcome("error", error="It was stopped.", stderr="x")) == {
        "status": "error",
        "func_return": None,
        "stdout": [],
        "stderr": ["x", "It was stopped."],
    }
