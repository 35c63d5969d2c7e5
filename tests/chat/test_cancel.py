"""Cancelling: at once, wherever the turn is; what was said stays and the next message works."""

import asyncio
import json
import threading
import time
from typing import Any

import httpx
import pytest
from letta_client import ConflictError, Letta, NotFoundError
from tests.chat.conftest import until
from tests.chat.test_messages import new_agent, send
from tests.conftest import LiveServer

from perdure.content.parts import returns_of
from perdure.testing.oracle import refusal
from perdure.testing.scripted import Reply, ScriptedModel, call, say, wait

FOREVER = 30.0


def stuck(then: Reply) -> Reply:
    """A model that says nothing for longer than any test waits."""
    return wait(lambda: asyncio.sleep(FOREVER), then)


class Reader(threading.Thread):
    """Sends a message and reads its stream in a thread of its own."""

    def __init__(self, http: httpx.Client, agent_id: str, **options: Any):
        super().__init__(daemon=True)
        self.http, self.agent_id, self.options = http, agent_id, options
        self.lines: list[str] = []
        self.first = threading.Event()
        self.start()

    def run(self) -> None:
        body = {"input": "hi", "streaming": True, "stream_tokens": True, **self.options}
        path = f"/v1/agents/{self.agent_id}/messages"
        with self.http.stream("POST", path, json=body) as answer:
            for line in answer.iter_lines():
                if line:
                    self.lines.append(line)
                    self.first.set()

    def frames(self) -> list[dict[str, Any]]:
        self.join(10)
        assert not self.is_alive()
        assert self.lines[-1] == "data: [DONE]"
        return [json.loads(line[6:]) for line in self.lines[:-1]]


def test_a_silent_model_is_broken_off_at_once(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, stuck(say("late")), say("back")))
    reader = Reader(http, agent.id)
    assert reader.first.wait(5)
    began = time.monotonic()
    told = client.agents.messages.cancel(agent.id)
    assert time.monotonic() - began < 2
    assert list(told.values()) == ["cancelled"]
    frames = reader.frames()
    assert {"message_type": "stop_reason", "stop_reason": "cancelled"} in frames
    (run,) = client.runs.list(agent_id=agent.id)
    assert (run.status, run.stop_reason) == ("cancelled", "cancelled")
    assert [step.status for step in client.runs.steps.list(run.id)] == ["cancelled"]
    assert send(client, agent.id, "again").messages[0].content == "back"
    said = [message.parts[0].text for message in scripted.requests[model_name][-1].messages]
    assert said == ["hi", "again"]


def test_what_was_said_until_then_is_kept(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    from perdure.providers.base import TextDelta

    async def slowly(request: Any, exchange: Any = None) -> Any:
        yield TextDelta("Once upon")
        await asyncio.sleep(FOREVER)

    class Slow:
        stream = staticmethod(slowly)

    handle = scripted.script(model_name, say("The end."))
    agent = new_agent(client, handle)
    original = scripted.stream
    scripted.stream = lambda request, exchange=None: (  # type: ignore[method-assign]
        slowly(request) if request.model == model_name else original(request, exchange)
    )
    try:
        reader = Reader(http, agent.id)
        until(lambda: any("Once upon" in line for line in reader.lines))
        client.agents.messages.cancel(agent.id)
        reader.frames()
    finally:
        scripted.stream = original  # type: ignore[method-assign]
    kept = [m.content for m in client.agents.messages.list(agent.id) if m.message_type == "assistant_message"]
    assert kept == ["Once upon"]
    assert send(client, agent.id).messages[0].content == "The end."


def test_a_call_that_was_cut_short_is_answered_as_cancelled(
    client: Letta, live: LiveServer, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    both = call("conversation_search", query="a") + call("conversation_search", query="b")
    agent = new_agent(client, scripted.script(model_name, both, say("and on")))
    dispatcher = live.app.state.dispatcher
    original = dispatcher.call_all

    async def slow(ctx: Any, *args: Any) -> Any:
        if ctx.agent_id == agent.id:
            await asyncio.sleep(FOREVER)
        return await original(ctx, *args)

    dispatcher.call_all = slow
    try:
        reader = Reader(http, agent.id)
        until(lambda: any("tool_call_message" in line for line in reader.lines))
        client.agents.messages.cancel(agent.id)
        frames = reader.frames()
    finally:
        dispatcher.call_all = original
    (returned,) = [f for f in frames if f["message_type"] == "tool_return_message"]
    assert [r["status"] for r in returned["tool_returns"]] == ["error", "error"]
    assert "cancelled" in returned["tool_return"]
    assert send(client, agent.id).messages[0].content == "and on"
    history = scripted.requests[model_name][-1].messages
    assert refusal(history) is None
    assert sum(len(returns_of(message.parts)) for message in history) == 2


def test_a_blocking_caller_gets_what_there_is(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, stuck(say("late"))))
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(send(client, agent.id)))
    thread.start()
    until(lambda: len(client.runs.list(agent_id=agent.id).items) == 1)
    (run,) = client.runs.list(agent_id=agent.id)
    assert client.agents.messages.cancel(agent.id, run_ids=[run.id]) == {run.id: "cancelled"}
    thread.join(10)
    assert answers[0].stop_reason.stop_reason == "cancelled"


def test_a_run_that_ended_says_how(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    with pytest.raises(ConflictError, match="nothing is going on"):
        client.agents.messages.cancel(agent.id)
    run_id = send(client, agent.id).messages[0].run_id
    assert client.agents.messages.cancel(agent.id) == {run_id: "completed"}
    assert client.agents.messages.cancel(agent.id, run_ids=[run_id]) == {run_id: "completed"}


def test_runs_of_others_cannot_be_cancelled(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    handle = scripted.script(model_name, say("ok"))
    mine, other = new_agent(client, handle), new_agent(client, handle)
    run_id = send(client, other.id).messages[0].run_id
    with pytest.raises(NotFoundError, match="this agent has no run"):
        client.agents.messages.cancel(mine.id, run_ids=[run_id])


def test_a_conversation_is_cancelled_alone(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, stuck(say("late"))))
    conversation = client.conversations.create(agent_id=agent.id)
    with pytest.raises(ConflictError):
        client.conversations.cancel(conversation.id)
    reader = Reader(http, agent.id)
    assert reader.first.wait(5)
    with pytest.raises(ConflictError):
        client.conversations.cancel(conversation.id)
    told = client.conversations.cancel("default", agent_id=agent.id)
    assert list(told.values()) == ["cancelled"]
    reader.frames()


def test_another_process_cancels_within_half_a_second(pair: tuple[LiveServer, LiveServer]) -> None:
    here, there = (Letta(base_url=server.url, max_retries=0) for server in pair)

    def seconds_until_cancelled(model: str) -> float:
        handle = pair[0].scripted.script(model, stuck(say("late")), say("back"))
        agent = here.agents.create(model=handle, memory_blocks=[])
        with httpx.Client(base_url=pair[0].url, timeout=20) as http:
            reader = Reader(http, agent.id)
            assert reader.first.wait(15)
            began = time.monotonic()
            assert list(there.agents.messages.cancel(agent.id).values()) == ["cancelled"]
            seconds = time.monotonic() - began
            reader.frames()
        assert there.agents.messages.create(agent.id, input="hi").messages[0].content == "back"
        return seconds

    # The machine may be busy with something else; it is not each time.
    assert any(seconds_until_cancelled(f"stuck-{n}") < 0.6 for n in range(8))


def test_a_line_is_one_for_all_servers_of_a_database(pair: tuple[LiveServer, LiveServer], pool: Any) -> None:
    one, two = pair
    here, there = (Letta(base_url=server.url, max_retries=0) for server in pair)
    handle = one.scripted.script("stuck", stuck(say("late")), say("back"))
    agent = here.agents.create(model=handle, memory_blocks=[])
    with (
        httpx.Client(base_url=one.url, timeout=20) as near,
        httpx.Client(base_url=two.url, timeout=20) as far,
    ):
        reader = Reader(near, agent.id)
        assert reader.first.wait(5)

        def say_there(text: str, strategy: str) -> Any:
            message = {"role": "user", "content": text, "otid": text}
            body = {"messages": [message], "multitask_strategy": strategy}
            return pool.submit(far.post, f"/v1/agents/{agent.id}/messages", json=body)

        def waiting() -> list[str]:
            return [run.id for run in here.runs.list(agent_id=agent.id, statuses=["created"])]

        withdrawn = say_there("withdrawn", "enqueue")
        (run_id,) = until(waiting)
        assert here.agents.messages.cancel(agent.id, run_ids=[run_id]) == {run_id: "cancelled"}
        assert withdrawn.result(5).json()["stop_reason"]["stop_reason"] == "cancelled"
        listening = say_there("listen", "interrupt")
        reader.frames()
        assert listening.result(10).json()["messages"][0]["content"] == "back"
        again = [{"role": "user", "content": "listen", "otid": "listen"}]
        repeated = near.post(f"/v1/agents/{agent.id}/messages", json={"messages": again}).json()
    assert repeated["messages"] == listening.result().json()["messages"]
    said = [
        m.content
        for m in there.agents.messages.list(agent.id, order="asc")
        if m.message_type == "user_message"
    ]
    assert said == ["hi", "listen"]
