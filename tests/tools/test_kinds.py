"""Rules and approvals are the same for tools of every kind: the same stories, told over each."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from letta_client import Letta
from tests.mcp.remote import running

from perdure.testing.scripted import Reply, ScriptedModel, call, say

Make = Callable[[Letta, ExitStack], "Kind"]


@dataclass(frozen=True)
class Kind:
    """Two tools of a kind: `echo` returns a text it is given, `other` stands beside it."""

    echo: str
    other: str
    given: Callable[[str], dict[str, Any]]
    other_given: dict[str, Any]
    said: Callable[[str], str]

    def echoed(self, text: str) -> Reply:
        return call(self.echo, **self.given(text))


def builtin(_: Letta, __: ExitStack) -> Kind:
    return Kind(
        "run_code",
        "conversation_search",
        lambda text: {"code": f"'{text}'", "language": "python"},
        {"query": "x"},
        lambda told: json.loads(told)["results"][0],
    )


def mcp(client: Letta, stack: ExitStack) -> Kind:
    config = {"mcp_server_type": "streamable_http", "server_url": stack.enter_context(running()).url}
    client.mcp_servers.create(server_name="box", config=config)
    return Kind("echo", "add", lambda text: {"text": text}, {"a": 1, "b": 2}, str)


SOURCE = '''
def {name}(text: str) -> str:
    """Say it again.

    Args:
        text: What.
    """
    return text
'''


def custom(client: Letta, _: ExitStack) -> Kind:
    for name in ("echo", "other"):
        client.tools.upsert(source_code=SOURCE.format(name=name))
    return Kind("echo", "other", lambda text: {"text": text}, {"text": "x"}, str)


KINDS: dict[str, Make] = {"builtin": builtin, "custom": custom, "mcp": mcp}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, client: Letta) -> Iterator[Kind]:
    with ExitStack() as stack:
        yield KINDS[request.param](client, stack)


@pytest.fixture
def agent(client: Letta, scripted: ScriptedModel, model_name: str, kind: Kind) -> Callable[..., Any]:
    """A function that makes an agent with the two tools, by its replies and its rules."""

    def make(*replies: Reply, rules: tuple[dict[str, Any], ...] = (), **fields: Any) -> Any:
        return client.agents.create(
            model=scripted.script(model_name, *replies),
            tools=[kind.echo, kind.other],
            tool_rules=rules,
            include_base_tools=False,
            include_base_tool_rules=False,
            **fields,
        )

    return make


def send(client: Letta, agent: Any, **fields: Any) -> Any:
    return client.agents.messages.create(agent.id, **(fields or {"input": "go"}))


def returns(answer: Any) -> list[Any]:
    return [message for message in answer.messages if message.message_type == "tool_return_message"]


def reply(request: Any, **word: Any) -> dict[str, Any]:
    words = [{"type": "approval", "tool_call_id": each.tool_call_id, **word} for each in request.tool_calls]
    return {"messages": [{"type": "approval", "approvals": words}]}


def test_a_call_waits_for_a_person_and_runs_when_approved(client, agent, kind):
    made = agent(
        kind.echoed("a"), say("done"), rules=({"type": "requires_approval", "tool_name": kind.echo},)
    )
    asked = send(client, made)
    assert asked.stop_reason.stop_reason == "requires_approval"
    request = asked.messages[-1]
    assert json.loads(request.tool_calls[0].arguments) == kind.given("a")
    answer = send(client, made, **reply(request, approve=True))
    (returned,) = returns(answer)
    assert (returned.status, kind.said(returned.tool_return)) == ("success", "a")
    assert answer.messages[-1].content == "done"


def test_a_call_that_is_denied_is_not_made(client, agent, kind):
    made = agent(
        kind.echoed("a"), say("fine"), rules=({"type": "requires_approval", "tool_name": kind.echo},)
    )
    request = send(client, made).messages[-1]
    answer = send(client, made, **reply(request, approve=False, reason="not today"))
    (returned,) = [m for m in client.agents.messages.list(made.id) if m.message_type == "tool_return_message"]
    assert returned.status == "error"
    assert "not today" in returned.tool_return
    assert answer.messages[-1].content == "fine"


def test_free_calls_and_those_that_wait_are_told_in_their_order(client, agent, kind):
    made = agent(
        call(kind.other, **kind.other_given) + kind.echoed("b"),
        say("done"),
        rules=({"type": "requires_approval", "tool_name": kind.echo},),
    )
    request = send(client, made).messages[-1]
    assert [each.name for each in request.tool_calls] == [kind.echo]
    send(client, made, **reply(request, approve=True))
    listed = client.agents.messages.list(made.id, order="asc")
    told = [part for m in listed if m.message_type == "tool_return_message" for part in m.tool_returns]
    assert len(told) == 2
    assert kind.said(told[1].tool_return) == "b"


def test_a_tool_that_ends_the_turn_ends_it(client, agent, kind):
    made = agent(kind.echoed("a"), say("never"), rules=({"type": "exit_loop", "tool_name": kind.echo},))
    answer = send(client, made)
    assert answer.stop_reason.stop_reason == "tool_rule"
    assert kind.said(returns(answer)[0].tool_return) == "a"


def test_a_tool_may_be_called_so_often(client, agent, kind):
    rule = {"type": "max_count_per_step", "tool_name": kind.echo, "max_count_limit": 2}
    made = agent(kind.echoed("a"), kind.echoed("b"), kind.echoed("c"), say("."), rules=(rule,))
    told = returns(send(client, made))
    assert [each.status for each in told] == ["success", "success", "error"]


def test_a_child_must_follow_its_parent(client, agent, kind):
    rule = {"type": "constrain_child_tools", "tool_name": kind.echo, "children": [kind.other]}
    made = agent(
        kind.echoed("a"),
        kind.echoed("b"),
        call(kind.other, **kind.other_given),
        kind.echoed("c"),
        say("."),
        rules=(rule,),
    )
    told = returns(send(client, made))
    assert [each.status for each in told] == ["success", "error", "success", "success"]


def test_a_tool_is_called_first_with_what_its_rule_fills_in(client, agent, kind):
    rule = {"type": "run_first", "tool_name": kind.echo, "args": kind.given("filled")}
    made = agent(call(kind.other, **kind.other_given), call(kind.echo), say("."), rules=(rule,))
    told = returns(send(client, made))
    assert [each.status for each in told] == ["error", "success"]
    assert kind.said(told[1].tool_return) == "filled"


def test_a_required_tool_is_asked_for_before_the_end(client, agent, kind):
    rule = {"type": "required_before_exit", "tool_name": kind.echo}
    made = agent(say("too early"), kind.echoed("a"), say("now"), rules=(rule,))
    answer = send(client, made)
    assert kind.said(returns(answer)[0].tool_return) == "a"
    assert answer.messages[-1].content == "now"


def test_calls_of_one_step_run_in_their_order(client, agent, kind):
    made = agent(kind.echoed("a") + call(kind.other, **kind.other_given) + kind.echoed("b"), say("."))
    told = [part for message in returns(send(client, made)) for part in message.tool_returns]
    assert [kind.said(told[at].tool_return) for at in (0, 2)] == ["a", "b"]


def test_what_a_tool_returns_is_cut_to_its_limit(client, agent, kind):
    (tool,) = client.tools.list(name=kind.echo)
    client.tools.update(tool.id, return_char_limit=30)
    (told,) = returns(send(client, agent(kind.echoed("x" * 100), say("."))))
    assert "the first 30 of" in told.tool_return
