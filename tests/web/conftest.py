"""A site on loopback, and an agent that calls one tool of the web."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from letta_client import Letta
from tests.web.site import Site, serving

from perdure.testing.scripted import ScriptedModel, call, say

Called = Callable[..., tuple[str, Any]]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def called(client: Letta, scripted: ScriptedModel, model_name: str) -> Called:
    """A function that lets a new agent call a tool; the status and value of what it returned."""

    def run(name: str, secrets: dict[str, str] | None = None, **arguments: Any) -> tuple[str, Any]:
        model = scripted.script(model_name, call(name, **arguments), say("."))
        scripted.requests[model_name].clear()
        agent = client.agents.create(model=model, tools=[name], secrets=secrets or {})
        answer = client.agents.messages.create(agent.id, input="go")
        (found,) = [m for m in answer.messages if m.message_type == "tool_return_message"]
        try:
            return found.status, json.loads(found.tool_return)
        except ValueError:
            return found.status, found.tool_return

    return run
