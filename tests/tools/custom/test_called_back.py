"""Tools that call back, tools in TypeScript, packages: in each sandbox, with all that executes them."""

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from letta_client import Letta
from tests.conftest import official
from tests.sandbox.packages import NpmRegistry, make_wheel

from perdure.config import Settings
from perdure.sandbox.backends import missing
from perdure.sandbox.node.runtime import find_node
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel, call, say

needs_node = pytest.mark.skipif(find_node() is None, reason="no Node.js here")
KEY = "a-key"
ADD = {
    "name": "add",
    "description": "Add.",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a"],
    },
}


@pytest.fixture(scope="module")
def registry() -> Iterator[NpmRegistry]:
    made = NpmRegistry()
    made.add("left", "1.0.0", {"index.js": "module.exports = (a) => `<${a}`"})
    yield made
    made.close()


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, registry: NpmRegistry
) -> Iterator[LiveServer]:
    """A server with one place for calls, and packages of its own."""
    if reason := missing(request.param):
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("called-back")
    make_wheel(home / "wheels", "words", "1.0", {"words.py": "def say(a): return f'<{a}>'"})
    settings = Settings.model_validate(
        {
            "home": home / "home",
            "api_key": KEY,
            "database": {"url": f"sqlite:///{home / 'test.db'}"},
            "models": {"detect": False},
            "sandbox": {"mode": request.param, "concurrency": 1, "wall_seconds": 20},
        }
    )
    index = {
        "UV_FIND_LINKS": str(home / "wheels"),
        "UV_NO_INDEX": "1",
        "npm_config_registry": registry.url,
    }
    told = {name: os.environ[name] for name in ("PATH", "HOME")} | index
    yield from serve(settings.with_environment(told), ScriptedModel())


@pytest.fixture
def client(server: LiveServer) -> Iterator[Letta]:
    with official(server.url, KEY, timeout=60) as letta:
        yield letta


@pytest.fixture
def returned(server: LiveServer, client: Letta) -> Any:
    """A function that has an agent call a tool once; what the tool returned, on the wire."""

    def returned(tool: Any, **arguments: Any) -> Any:
        model = server.scripted.script(uuid.uuid4().hex, call(tool.name, **arguments), say("done"))
        agent = client.agents.create(model=model, tool_ids=[tool.id], include_base_tools=False)
        answer = client.agents.messages.create(agent.id, input="go")
        return next(m for m in answer.messages if m.message_type == "tool_return_message")

    return returned


def typescript(client: Letta, body: str, **more: Any) -> Any:
    source = f"export async function add(a: number, b: number = 2): Promise<any> {{ {body} }}"
    return client.tools.upsert(source_code=source, source_type="typescript", json_schema=ADD, **more)


@needs_node
def test_a_tool_in_typescript_is_called_with_its_arguments(client: Letta, returned: Any) -> None:
    told = returned(typescript(client, "console.log('adding'); return {sum: a + b}"), a=40, b=2)
    assert (told.status, told.tool_return) == ("success", '{"sum":42}')
    assert told.tool_returns[0].stdout == ["adding\n"]
    assert returned(typescript(client, "return a + b"), a=1).tool_return == "3"
    failed = returned(typescript(client, "throw new TypeError('no such sum')"), a=1)
    assert (failed.status, failed.tool_return) == (
        "error",
        "Error executing function add: TypeError: no such sum",
    )


@needs_node
def test_a_tool_in_typescript_has_the_packages_it_requires(client: Letta, returned: Any) -> None:
    wanted = [{"name": "left", "version": "1.0.0"}]
    told = returned(typescript(client, "return require('left')(a)", npm_requirements=wanted), a=7)
    assert (told.status, told.tool_return) == ("success", "<7"), told.tool_returns[0].stderr
    missing = typescript(client, "return 1", npm_requirements=[{"name": "right", "version": "1.0.0"}])
    told = returned(missing, a=7)
    assert (told.status, "right" in told.tool_return) == ("error", True)


def test_a_tool_in_python_has_the_packages_it_requires(client: Letta, returned: Any) -> None:
    source = 'def tell(a: int) -> str:\n    """Tell."""\n    import words\n    return words.say(a)\n'
    wanted = [{"name": "words", "version": "1.0"}]
    told = returned(client.tools.upsert(source_code=source, pip_requirements=wanted), a=7)
    assert (told.status, told.tool_return) == ("success", "<7>"), told.tool_returns[0].stderr
    other = client.tools.upsert(source_code=source, pip_requirements=[{"name": "nowhere", "version": "1"}])
    told = returned(other, a=7)
    assert (told.status, "nowhere" in told.tool_return) == ("error", True)


@needs_node
def test_a_tool_in_typescript_calls_back_where_it_may_have_a_network(
    server: LiveServer, client: Letta, returned: Any
) -> None:
    tool = typescript(
        client,
        "const headers = {Authorization: `Bearer ${process.env.LETTA_API_KEY}`};"
        "const ask = async (path: string) => fetch(process.env.LETTA_BASE_URL + path, {headers});"
        "const agents = await (await ask('/v1/agents/')).json();"
        "return [agents.length > 0, (await ask('/v1/providers/')).status]",
    )
    told = returned(tool, a=1)
    if server.settings.sandbox.mode == "landlock":
        assert "grants a network to tools in Python alone" in told.tool_return
    else:
        assert told.tool_return == "[true,403]", told.tool_returns[0].stderr


ASK = '''
def ask(agent_ids: list[str]) -> str:
    """Ask the first, which asks the others."""
    first, *rest = agent_ids
    said = client.agents.messages.create(first, input=" ".join(rest) or "go").messages
    return next(m.tool_return for m in said if m.message_type == "tool_return_message")
'''
LEAF = 'def leaf() -> str:\n    """Do it."""\n    return "done"\n'


def test_calls_that_wait_for_agents_keep_no_place_from_their_tools(
    server: LiveServer, client: Letta, model_name: str
) -> None:
    ask = client.tools.upsert(source_code=ASK)
    leaf = client.tools.upsert(source_code=LEAF)

    def passing_on(request: Any) -> Any:
        last = request.messages[-1].parts[0]
        text = getattr(last, "text", "")
        if text == "go":
            return call("leaf")
        return call("ask", agent_ids=text.split()) if text.startswith("agent-") else say("done")

    model = server.scripted.script(model_name, passing_on)
    wanted = {"tool_ids": [ask.id, leaf.id], "include_base_tools": False}
    chains = [[client.agents.create(model=model, **wanted).id for _ in range(3)] for _ in range(3)]

    def run(chain: list[str]) -> Any:
        return client.post(
            "/v1/tools/run", body={"source_code": ASK, "args": {"agent_ids": chain}}, cast_to=object
        )

    with ThreadPoolExecutor() as pool:
        for told in pool.map(run, chains):
            assert told["tool_return"] == "done", told
