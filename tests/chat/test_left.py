"""A client that leaves its stream: the run goes on and is saved, and nothing is held for who has left."""

import gc
import json
import weakref
from collections import Counter
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import Gate, until
from tests.chat.test_messages import new_agent
from tests.conftest import LiveServer

from perdure.runs.live import LiveRun
from perdure.testing.model_server import ModelServer
from perdure.testing.scripted import ScriptedModel, call, say

AGENT, OPENAI = "/v1/agents/{}/messages", "/v1/chat/completions"
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "whole": (AGENT, {"input": "hi", "streaming": True}),
    "tokens": (AGENT, {"input": "hi", "streaming": True, "stream_tokens": True}),
    "background": (AGENT, {"input": "hi", "streaming": True, "background": True}),
    "conversation": ("/v1/conversations/default/messages", {"input": "hi"}),
    "openai": (OPENAI, {"messages": [{"role": "user", "content": "hi"}], "stream": True}),
}


def readers_of(run: LiveRun) -> int:
    return run._followers + len(run._waiters)


@pytest.mark.parametrize("way", WAYS)
def test_who_leaves_a_stream_holds_nothing_and_the_run_is_saved(
    client: Letta,
    http: httpx.Client,
    live: LiveServer,
    scripted: ScriptedModel,
    model_name: str,
    gate: Gate,
    way: str,
) -> None:
    edit = call("memory_insert", label="human", new_string="Called Ann.")
    agent = new_agent(client, scripted.script(model_name, edit, gate.before(say("saved"))))
    path, body = WAYS[way]
    runs = live.app.state.runner.live
    before = Counter(live.tasks())

    def begun() -> list[str]:
        return sorted((Counter(live.tasks()) - before).elements())

    sent = {"agent_id": agent.id, "model": agent.id, **body}
    with http.stream("POST", path.format(agent.id), json=sent) as answer:
        lines = answer.iter_lines()
        assert next(lines)
        assert gate.reached.wait(5)
        (run_id,) = [run.id for run in client.runs.list(agent_id=agent.id)]
        held = weakref.ref(runs[run_id])
        until(lambda: readers_of(runs[run_id]) > 0)
        assert len(begun()) > 1
    until(lambda: readers_of(runs[run_id]) == 0)
    until(lambda: begun() == [run_id])
    gate.opened.set()
    until(lambda: client.runs.retrieve(run_id).status == "completed")
    until(lambda: begun() == [])
    assert run_id not in runs
    until(lambda: gc.collect() is not None and held() is None)
    listed = client.agents.messages.list(agent.id, include_return_message_types=["assistant_message"])
    assert [message.content for message in listed] == ["saved"]


def model_calls(models: ModelServer, token: str) -> list[dict[str, Any]]:
    """The calls that a model was asked with these words."""
    asked = httpx.get(f"{models.url}/requests").json()
    return [request for request in asked if token in json.dumps(request["body"])]


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_call_of_a_model_goes_on_when_its_reader_has_left_until_it_ends_or_is_cancelled(
    http: httpx.Client, client: Letta, handle: str, models: ModelServer, model_name: str, cancelled: bool
) -> None:
    agent = client.agents.create(model=handle, memory_blocks=[])
    words = f"slow:{200 if cancelled else 5}\ncount:50\nsay:{model_name}"
    body = {"input": words, "streaming": True, "stream_tokens": True}
    with http.stream("POST", f"/v1/agents/{agent.id}/messages", json=body) as answer:
        lines = answer.iter_lines()
        assert any('"assistant_message"' in line for line in lines)
    (run,) = client.runs.list(agent_id=agent.id)
    if cancelled:
        assert client.agents.messages.cancel(agent.id) == {run.id: "cancelled"}
    until(lambda: client.runs.retrieve(run.id).completed_at)
    assert client.runs.retrieve(run.id).status == ("cancelled" if cancelled else "completed")
    until(lambda: model_calls(models, model_name)[0]["disconnected"] == cancelled)
    assert len(model_calls(models, model_name)) == 1
