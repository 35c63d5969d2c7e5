"""Tools of an organization's own, made from functions and attached to an agent."""

import inspect
import textwrap
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from letta_client import Letta

from perdure.testing.scripted import ScriptedModel, call, say

MakeTool = Callable[..., Any]


def source_of(function: Callable[..., Any] | str) -> str:
    return function if isinstance(function, str) else textwrap.dedent(inspect.getsource(function))


@pytest.fixture
def make_tool(client: Letta) -> MakeTool:
    """A function that stores the source of a function as a tool."""

    def make(function: Callable[..., Any] | str, **options: Any) -> Any:
        return client.tools.create(source_code=source_of(function), source_type="python", **options)

    return make


@pytest.fixture
def ask(client: Letta, scripted: ScriptedModel) -> Callable[..., Any]:
    """A function that has an agent call a tool once; returns what the tool returned, on the wire."""

    def ask(tool: Any, arguments: dict[str, Any] | None = None, **agent: Any) -> Any:
        model = scripted.script(
            agent.pop("model_name", uuid.uuid4().hex), call(tool.name, **(arguments or {})), say("done")
        )
        made = client.agents.create(model=model, tool_ids=[tool.id], include_base_tools=False, **agent)
        answer = client.agents.messages.create(made.id, input="go")
        return next(m for m in answer.messages if m.message_type == "tool_return_message")

    return ask
