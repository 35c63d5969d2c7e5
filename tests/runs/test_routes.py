"""Every method of the official client for runs and steps works."""

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from letta_client import Letta, NotFoundError
from tests.chat.test_messages import kinds, new_agent, send

from perdure.providers.base import ModelError
from perdure.testing.model_server import ModelServer
from perdure.testing.scripted import ScriptedModel, call, fail, say


@dataclass
class Done:
    """A run of two steps that ended."""

    client: Letta
    agent_id: str
    run_id: str
    step_ids: list[str]


@pytest.fixture
def done(client: Letta, scripted: ScriptedModel, model_name: str) -> Done:
    search = call("conversation_search", query="x")
    agent = new_agent(client, scripted.script(model_name, search, say("ok"), say("again")))
    run_id = send(client, agent.id).messages[0].run_id
    return Done(client, agent.id, run_id, [step.id for step in client.runs.steps.list(run_id)])


def until(ready: Callable[[], Any]) -> Any:
    """What is there at last: traces are written in the background."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return ready()
        except NotFoundError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def list_runs(done: Done) -> None:
    second = send(done.client, done.agent_id).messages[0].run_id
    newest = {"agent_id": done.agent_id}
    assert ids(done.client.runs.list(**newest)) == [second, done.run_id]
    assert ids(done.client.runs.list(**newest, order="asc", order_by="created_at")) == [done.run_id, second]
    assert ids(done.client.runs.list(**newest, limit=1)) == [second, done.run_id]  # pages are followed
    assert ids(done.client.runs.list(**newest, after=second)) == [done.run_id]
    assert ids(done.client.runs.list(**newest, before=done.run_id)) == [second]
    assert ids(done.client.runs.list(agent_ids=[done.agent_id], ascending=True)) == [done.run_id, second]
    assert ids(done.client.runs.list(**newest, statuses=["failed"])) == []
    assert ids(done.client.runs.list(**newest, statuses=["failed", "completed"])) == [second, done.run_id]
    assert ids(done.client.runs.list(**newest, stop_reason="end_turn")) == [second, done.run_id]
    assert ids(done.client.runs.list(**newest, background=True)) == []
    assert ids(done.client.runs.list(**newest, active=True)) == []
    assert ids(done.client.runs.list(conversation_id="conv-00000000-0000-4000-8000-000000000000")) == []


def ids(page: Any) -> list[str]:
    return [item.id for item in page]


def list_run_messages(done: Done) -> None:
    listed = done.client.runs.messages.list(done.run_id)
    assert kinds(listed) == ["user_message", "tool_call_message", "tool_return_message", "assistant_message"]
    newest = done.client.runs.messages.list(done.run_id, order="desc", order_by="created_at", limit=1)
    assert newest.items[0].message_type == "assistant_message"
    first = next(iter(listed))
    assert len(list(done.client.runs.messages.list(done.run_id, after=first.id))) == 3


def stream_run_messages(done: Done) -> None:
    options: Any = {"input": "hi", "streaming": True, "background": True}
    seen = list(done.client.agents.messages.create(done.agent_id, **options))
    run_id, last = seen[0].run_id, seen[-3].seq_id
    again = done.client.runs.messages.stream(run_id, starting_after=0, poll_interval=0.1, batch_size=10)
    said = [frame.content for frame in again if frame.message_type == "assistant_message"]
    assert said == ["again"]
    rest = kinds(done.client.runs.messages.stream(run_id, starting_after=last, include_pings=False))
    assert rest == ["stop_reason", "usage_statistics"]


def retrieve_run(done: Done) -> None:
    run = done.client.runs.retrieve(done.run_id)
    assert (run.id, run.status, run.agent_id) == (done.run_id, "completed", done.agent_id)


def list_run_steps(done: Done) -> None:
    listed = done.client.runs.steps.list(done.run_id)
    assert [step.status for step in listed] == ["success", "success"]
    newest_first = done.client.runs.steps.list(done.run_id, order="desc", order_by="created_at")
    assert ids(newest_first) == done.step_ids[::-1]
    assert ids(done.client.runs.steps.list(done.run_id, after=done.step_ids[0])) == done.step_ids[1:]


def retrieve_run_trace(done: Done) -> None:
    spans = done.client.runs.trace.retrieve(done.run_id)
    assert [span["SpanName"] for span in spans] == [
        "run",
        "time_to_first_token",
        "agent_step",
        "chat",
        "execute_tools",
        "agent_step",
        "chat",
    ]
    by_id = {span["SpanId"]: span for span in spans}
    assert len(by_id) == len(spans)
    assert len({span["TraceId"] for span in spans}) == 1
    for span in spans[1:]:
        above = by_id[span["ParentSpanId"]]
        assert above["Timestamp"] <= span["Timestamp"]
        assert 0 <= span["Duration"] <= above["Duration"] * 1.5 + 20_000_000
    (tools,) = [span for span in spans if span["SpanName"] == "execute_tools"]
    assert tools["SpanAttributes"]["gen_ai.tool.names"] == ["conversation_search"]
    assert done.client.runs.trace.retrieve(done.run_id, limit=2) == spans[:2]


def retrieve_run_usage(done: Done) -> None:
    usage = done.client.runs.usage.retrieve(done.run_id)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (200, 20, 220)


def give_feedback(done: Done) -> None:
    step_id = done.step_ids[0]
    done.client.steps.feedback.create(step_id, feedback="negative", tags=["slow", 'so "so"'])
    step = done.client.steps.retrieve(step_id)
    assert (step.feedback, step.tags) == ("negative", ["slow", 'so "so"'])


def list_steps(done: Done) -> None:
    first, second = done.step_ids
    mine = {"agent_id": done.agent_id}
    done.client.steps.feedback.create(first, feedback="positive", tags=["good", "50% ä"])
    assert ids(done.client.steps.list(**mine)) == [second, first]
    assert ids(done.client.steps.list(**mine, order="asc", order_by="created_at", limit=1)) == [first, second]
    assert ids(done.client.steps.list(**mine, after=second)) == [first]
    assert ids(done.client.steps.list(**mine, before=first)) == [second]
    assert ids(done.client.steps.list(**mine, feedback="positive")) == [first]
    assert ids(done.client.steps.list(**mine, has_feedback=False)) == [second]
    assert ids(done.client.steps.list(**mine, tags=["other", "50% ä"])) == [first]
    assert ids(done.client.steps.list(**mine, tags=["goo", "50"])) == []
    assert ids(done.client.steps.list(**mine, model="other")) == []
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    assert ids(done.client.steps.list(**mine, start_date=(now + hour).isoformat())) == []
    since_then = {"start_date": (now - hour).isoformat(), "end_date": (now + hour).isoformat()}
    assert ids(done.client.steps.list(**mine, **since_then)) == [second, first]


def list_step_messages(done: Done) -> None:
    listed = done.client.steps.messages.list(done.step_ids[1])
    assert kinds(listed) == ["assistant_message"]
    first = done.client.steps.messages.list(done.step_ids[0], order="asc", order_by="created_at", limit=1)
    assert first.items[0].message_type == "user_message"


def retrieve_step_metrics(done: Done) -> None:
    metrics = done.client.steps.metrics.retrieve(done.step_ids[0])
    assert (metrics.run_id, metrics.agent_id) == (done.run_id, done.agent_id)
    assert metrics.llm_request_ns > 0
    assert metrics.tool_execution_ns > 0
    assert metrics.step_ns >= metrics.llm_request_ns


def retrieve_step(done: Done) -> None:
    step = done.client.steps.retrieve(done.step_ids[1])
    assert (step.run_id, step.status, step.total_tokens) == (done.run_id, "success", 110)
    assert (step.provider_name, step.provider_id) == ("scripted", None)


def retrieve_step_trace(done: Done) -> None:
    trace = until(lambda: done.client.steps.trace.retrieve(done.step_ids[0]))
    assert trace.step_id == done.step_ids[0]
    assert trace.request_json == {"url": "scripted:", "scripted": True}


WORKS: dict[str, Callable[[Done], None]] = {
    "runs.list": list_runs,
    "runs.messages.list": list_run_messages,
    "runs.messages.stream": stream_run_messages,
    "runs.retrieve": retrieve_run,
    "runs.steps.list": list_run_steps,
    "runs.trace.retrieve": retrieve_run_trace,
    "runs.usage.retrieve": retrieve_run_usage,
    "steps.feedback.create": give_feedback,
    "steps.list": list_steps,
    "steps.messages.list": list_step_messages,
    "steps.metrics.retrieve": retrieve_step_metrics,
    "steps.retrieve": retrieve_step,
    "steps.trace.retrieve": retrieve_step_trace,
}


def methods(resource: Any, path: str) -> Iterator[str]:
    """The methods of a resource of the client and of those in it."""
    for name in dir(type(resource)):
        if not name.startswith(("_", "with_")):
            member = getattr(resource, name)
            if inspect.ismethod(member):
                yield f"{path}.{name}"
            else:
                yield from methods(member, f"{path}.{name}")


def test_every_method_for_runs_and_steps_is_tried() -> None:
    with Letta(base_url="http://127.0.0.1:9", api_key="none") as client:
        there = {*methods(client.runs, "runs"), *methods(client.steps, "steps")}
    assert there == set(WORKS)


@pytest.mark.parametrize("name", WORKS)
def test_a_method_of_the_official_client_works(done: Done, name: str) -> None:
    WORKS[name](done)


def test_the_trace_of_a_failed_run_says_where_and_why(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, fail(ModelError("It is ill."))))
    http.post(f"/v1/agents/{agent.id}/messages", json={"input": "hi"})
    [run] = client.runs.list(agent_id=agent.id)
    spans = {span["SpanName"]: span for span in client.runs.trace.retrieve(run.id)}
    for name in ("run", "agent_step"):
        assert spans[name]["StatusCode"] == "Error"
        assert "It is ill." in spans[name]["StatusMessage"]
    assert http.get(f"/v1/runs/{run.id}/trace", params={"limit": 0}).status_code == 422


def test_a_step_names_the_provider_of_ones_own_that_was_asked(client: Letta, http: httpx.Client) -> None:
    with ModelServer() as server:
        made = {"name": "own", "provider_type": "vllm", "base_url": server.url, "api_key": "x"}
        provider = http.post("/v1/providers/", json=made).json()
        agent = client.agents.create(model="own/scripted", context_window_limit=10_000)
        run_id = send(client, agent.id, "say:hello").messages[0].run_id
    (step,) = client.runs.steps.list(run_id)
    assert (step.provider_id, step.provider_category) == (provider["id"], "byok")
    assert client.steps.retrieve(step.id).provider_id == provider["id"]
    assert client.steps.metrics.retrieve(step.id).provider_id == provider["id"]
    http.delete(f"/v1/providers/{provider['id']}")
    assert client.steps.retrieve(step.id).provider_id is None
