"""Streams: frames, tokens, pings, errors, and readers who leave."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, Letta
from tests.chat.conftest import Gate
from tests.chat.test_messages import kinds, new_agent, send

from perdure.providers.base import ModelUnavailable, StreamCut
from perdure.testing.scripted import ScriptedModel, call, fail, say, think, wait


def stream(client: Letta, agent_id: str, **options: Any) -> list[Any]:
    return list(client.agents.messages.create(agent_id, input="hi", streaming=True, **options))


def raw_frames(http: httpx.Client, agent_id: str, **options: Any) -> list[str]:
    body = {"input": "hi", "streaming": True, **options}
    with http.stream("POST", f"/v1/agents/{agent_id}/messages", json=body) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        return [line for line in answer.iter_lines() if line]


def test_a_stream_tells_whole_messages_then_the_end(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(
        client, scripted.script(model_name, call("conversation_search", query="x"), say("All done."))
    )
    frames = stream(client, agent.id, include_pings=False)
    assert kinds(frames) == [
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert frames[2].content == "All done."
    assert frames[-1].step_count == 2


def test_tokens_are_streamed_as_they_come(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    edit = call("memory_insert", label="human", new_string="Likes tea.")
    agent = new_agent(client, scripted.script(model_name, think("Tea") + edit, say("Noted, thanks.")))
    frames = stream(client, agent.id, stream_tokens=True, include_pings=False)
    text = [f for f in frames if f.message_type == "assistant_message"]
    assert [f.content for f in text] == ["Noted,", " thanks."]
    assert len({(f.id, f.otid) for f in text}) == 1
    calls = [f for f in frames if f.message_type == "tool_call_message"]
    assert calls[0].tool_call.name == "memory_insert"
    joined = "".join(f.tool_call.arguments or "" for f in calls)
    assert json.loads(joined) == {"label": "human", "new_string": "Likes tea."}
    assert kinds(frames).count("tool_return_message") == 1
    stored = {m.id for m in client.agents.messages.list(agent.id)}
    assert {f.id for f in text + calls} <= stored


def test_a_streamed_piece_has_the_otid_of_its_stored_message(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, think("hm") + say("so it is")))
    frames = stream(client, agent.id, stream_tokens=True, include_pings=False)
    listed = {m.otid for m in client.agents.messages.list(agent.id) if m.message_type != "user_message"}
    assert {f.otid for f in frames if f.message_type in ("reasoning_message", "assistant_message")} <= listed


def test_a_stream_begins_with_a_ping_and_ends_with_done(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    lines = raw_frames(http, agent.id)
    first = json.loads(lines[0].removeprefix("data: "))
    assert first["message_type"] == "ping"
    assert first["run_id"].startswith("run-")
    assert lines[-1] == "data: [DONE]"


def test_silence_is_filled_with_pings(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    slow = wait(lambda: asyncio.sleep(0.7), say("at last"))
    agent = new_agent(client, scripted.script(model_name, slow))
    pings = [line for line in raw_frames(http, agent.id) if '"ping"' in line]
    assert len(pings) >= 3


def test_background_frames_are_numbered_from_one(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("one two")))
    lines = raw_frames(http, agent.id, background=True, stream_tokens=True)
    frames = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert [f["seq_id"] for f in frames if "seq_id" in f] == [1, 2, 3]
    assert [f["message_type"] for f in frames][-2:] == ["stop_reason", "usage_statistics"]


def test_only_the_wanted_types_are_streamed(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, think("hm") + say("so")))
    for tokens in (False, True):
        frames = stream(
            client,
            agent.id,
            include_pings=False,
            stream_tokens=tokens,
            include_return_message_types=["assistant_message"],
        )
        assert kinds(frames) == ["assistant_message", "stop_reason", "usage_statistics"]


def test_a_cut_stream_shows_what_came_then_a_clear_error(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    cut = fail(StreamCut("scripted: the connection closed in mid-answer"), after=say("Once upon a"))
    agent = new_agent(client, scripted.script(model_name, cut, say("Sorry.")))
    lines = raw_frames(http, agent.id, stream_tokens=True, include_pings=False)
    assert [json.loads(line[6:]).get("content") for line in lines[:3]] == ["Once", " upon", " a"]
    assert json.loads(lines[3][6:]) == {"message_type": "stop_reason", "stop_reason": "llm_api_error"}
    assert lines[4] == "event: error"
    error = json.loads(lines[5][6:])
    assert (error["message_type"], error["error_type"]) == ("error_message", "llm_error")
    assert "closed in mid-answer" in error["message"]
    assert lines[6] == "data: [DONE]"
    kept = [m for m in client.agents.messages.list(agent.id) if m.message_type == "assistant_message"]
    assert [(m.content, m.is_err) for m in kept] == [("Once upon a", True)]
    assert send(client, agent.id).messages[0].content == "Sorry."


def test_the_client_raises_on_an_error_event(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, fail(ModelUnavailable("scripted: down"))))
    with pytest.raises(APIStatusError) as caught:
        stream(client, agent.id)
    assert "down" in str(caught.value.body)


def test_a_reader_who_leaves_does_not_stop_the_run(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("still here"))))
    body = {"input": "hi", "streaming": True}
    with http.stream("POST", f"/v1/agents/{agent.id}/messages", json=body) as answer:
        next(answer.iter_lines())
    gate.opened.set()
    for _ in range(100):
        (run,) = client.runs.list(agent_id=agent.id)
        if run.status != "running":
            break
        threading.Event().wait(0.05)
    assert run.status == "completed"
    assert next(m.content for m in client.agents.messages.list(agent.id)) == "still here"


def test_a_second_message_is_refused_while_a_turn_runs(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(
        client,
        scripted.script(model_name, gate.before(say("done")), say("free")),
    )
    body = {"input": "hi", "streaming": True}
    with http.stream("POST", f"/v1/agents/{agent.id}/messages", json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        second = http.post(f"/v1/agents/{agent.id}/messages", json={"input": "me too"})
        assert second.status_code == 409
        assert second.headers["x-should-retry"] == "false"
        assert "another request is currently being processed" in second.json()["detail"]
        assert second.json()["run_id"].startswith("run-")
        gate.opened.set()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert send(client, agent.id).messages[0].content == "free"


def test_the_deprecated_route_always_streams(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    with pytest.deprecated_call():
        frames = list(client.agents.messages.stream(agent.id, input="hi"))
    assert kinds(frames) == ["ping", "assistant_message", "stop_reason", "usage_statistics"]
