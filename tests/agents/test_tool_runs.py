"""Tools run from outside of any conversation: for an agent, and from a source that is not stored."""

import httpx
import letta_client
import pytest
from tests.tools.custom.conftest import make_tool  # noqa: F401 - a fixture

SOURCE = '''
import os

def weather(city: str, days: int = 1) -> dict:
    """Tell the weather.

    Args:
        city: Where.
        days: How many.
    """
    print("looking")
    if city == "Atlantis":
        raise LookupError("no such city")
    return {"city": city, "days": days, "key": os.environ.get("KEY")}
'''


@pytest.fixture
def agent(client, model_name, make_tool):  # noqa: F811
    tool = make_tool(SOURCE)
    return client.agents.create(
        model=f"scripted/{model_name}", tool_ids=[tool.id], secrets={"KEY": "the key of the agent"}
    )


HOARD = '''
import os

def hoard(agent_state, n: int = 0) -> int:
    """Write a secret into memory."""
    agent_state.memory.update_block_value("human", "The key: " + os.environ["KEY"])
    return n
'''


def test_a_secret_is_not_written_into_memory_and_numbers_may_be_large(client, model_name, make_tool):  # noqa: F811
    agent = client.agents.create(
        model=f"scripted/{model_name}",
        tool_ids=[make_tool(HOARD).id],
        secrets={"KEY": "the key of the agent"},
        memory_blocks=[{"label": "human", "value": ""}],
    )
    done = client.agents.tools.run("hoard", agent_id=agent.id, args={"n": 2**70})
    assert done.status == "success"
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "The key: [redacted KEY]"


def test_an_agents_tool_returns_json_as_it_is(client, agent):
    done = client.agents.tools.run("weather", agent_id=agent.id, args={"city": "Köln", "days": "2"})
    assert done.status == "success"
    assert done.func_return == {"city": "Köln", "days": 2, "key": "[redacted KEY]"}
    assert (done.stdout, done.stderr, done.agent_state) == (["looking\n"], [], None)
    assert list(client.agents.messages.list(agent.id)) == [] or all(
        m.message_type == "system_message" for m in client.agents.messages.list(agent.id)
    )


def test_an_error_returns_null_and_its_traceback(client, agent):
    done = client.agents.tools.run("weather", agent_id=agent.id, args={"city": "Atlantis"})
    assert (done.status, done.func_return) == ("error", None)
    assert done.stdout == ["looking\n"]
    assert "LookupError: no such city" in done.stderr[0]


def test_arguments_that_do_not_fit_are_told(client, agent):
    done = client.agents.tools.run("weather", agent_id=agent.id, args={"town": "Köln"})
    assert (done.status, done.func_return) == ("error", None)
    assert "unknown parameter 'town'" in done.stderr[0]


def test_a_built_in_tool_runs_likewise(client, agent):
    done = client.agents.tools.run("conversation_search", agent_id=agent.id, args={"query": "x"})
    assert done.status == "success"
    assert done.func_return


def test_a_tool_the_agent_has_not_is_not_found(client, http, agent):
    with pytest.raises(letta_client.NotFoundError, match="has no tool 'nothing'"):
        client.agents.tools.run("nothing", agent_id=agent.id)
    assert http.post(f"/v1/agents/{agent.id}/tools/weather/run").json()["status"] == "error"


def test_a_long_value_is_cut_once(client, http, make_tool, agent):  # noqa: F811
    tool = make_tool('def long() -> str:\n    """Say much."""\n    return "x" * 5000\n', return_char_limit=50)
    client.agents.tools.attach(tool.id, agent_id=agent.id)
    done = client.agents.tools.run("long", agent_id=agent.id)
    assert done.func_return == "x" * 50 + "… [the first 50 of 5000 characters]"


def run(http: httpx.Client, **body):
    return http.post("/v1/tools/run", json={"source_code": SOURCE, "args": {"city": "Bonn"}, **body})


def test_a_source_is_run_without_being_stored(http):
    before = http.get("/v1/tools/count").json()
    done = run(http, env_vars={"KEY": "abc"}).json()
    assert (done["message_type"], done["id"], done["tool_call_id"]) == ("tool_return_message", "null", "null")
    assert done["status"] == "success"
    assert done["tool_return"] == '{"city":"Bonn","days":1,"key":"abc"}'
    assert (done["stdout"], done["stderr"]) == (["looking\n"], [])
    assert done["tool_returns"][0]["tool_return"] == done["tool_return"]
    assert http.get("/v1/tools/count").json() == before


def test_a_source_has_its_function_by_name_with_or_without_schema(http):
    two = "def one() -> int:\n    return 1\n\ndef two(a):\n    return {'a': a}\n"
    done = run(http, source_code=two, name="one", args={}).json()
    assert (done["status"], done["tool_return"]) == ("success", "1")
    done = run(http, source_code=two, name="two", args={"a": [None, {"b": 1.5}]}).json()
    assert done["tool_return"] == '{"a":[null,{"b":1.5}]}'
    schema = {"name": "two", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    assert run(http, source_code=two, json_schema=schema, args={"a": "7"}).json()["tool_return"] == '{"a":7}'


def test_a_schema_that_comes_with_a_source_is_read_as_that_of_a_tool(http):
    source = "def f(**given):\n    return given\n"

    def ran(parameters):
        schema = {"name": "f", "parameters": parameters}
        return run(http, source_code=source, json_schema=schema, args={"n": "3"})

    point = {"n": {"$ref": "#/$defs/N"}, "m": False}
    assert ran({"properties": {"n": True}}).json()["tool_return"] == '{"n":"3"}'
    typed = ran({"properties": point, "$defs": {"N": {"type": "integer"}}}).json()
    assert typed["tool_return"] == '{"n":3}'
    for wrong in ({"properties": {"n": 1}}, {"properties": []}, [1], {"properties": {"n": {"type": "text"}}}):
        refused = ran(wrong)
        assert (refused.status_code, refused.json()["detail"][:22]) == (400, "json_schema.parameters")


def test_what_is_wrong_with_a_source_or_its_arguments_is_told(http):
    done = run(http, args={"city": "Atlantis"}).json()
    assert done["tool_return"] == "Error executing function weather: LookupError: no such city"
    done = run(http, args={}).json()
    assert (done["status"], done["tool_return"]) == (
        "error",
        "weather was not run: missing parameter 'city'.",
    )
    assert run(http, source_code="def f(:").status_code == 400
    assert run(http, source_code="x = 1").status_code == 400
    assert run(http, surprise=1).status_code == 422


def test_a_source_is_told_of_no_agent(http):
    source = "def who(agent_id, agent_state=None):\n    return [agent_id, agent_state]\n"
    assert run(http, source_code=source, args={}).json()["tool_return"] == "[null,null]"
