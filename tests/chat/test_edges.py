"""What models, callers and faults do at the edges of a turn."""

import json
import threading
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, Letta
from tests.chat.conftest import Gate
from tests.chat.test_messages import kinds, new_agent, send
from tests.chat.test_streams import raw_frames, stream
from tests.conftest import LiveServer

from perdure.providers.base import (
    Finish,
    ModelError,
    ModelRateLimited,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from perdure.testing.oracle import refusal
from perdure.testing.scripted import Reply, ScriptedModel, call, call_raw, fail, say, think


def text(*pieces: str) -> Reply:
    return Reply(tuple(TextDelta(piece) for piece in pieces))


def listed(client: Letta, agent_id: str) -> list[Any]:
    return list(client.agents.messages.list(agent_id, order="asc"))


def check_streamed_as_stored(client: Letta, agent_id: str) -> list[Any]:
    """Every streamed piece has the id, otid and type of a stored one; together they say the same."""
    frames = stream(client, agent_id, stream_tokens=True, include_pings=False)
    stored = {(m.id, m.otid, m.message_type) for m in listed(client, agent_id)}
    pieces = [f for f in frames if f.message_type not in ("stop_reason", "usage_statistics")]
    assert {(f.id, f.otid, f.message_type) for f in pieces} <= stored
    return pieces


@pytest.mark.parametrize(
    "first",
    [
        text("\n\n") + call("conversation_search", query="x"),
        think("hm") + text("\n", "\n") + call("conversation_search", query="x"),
        think("hm") + text(" ") + Reply((ReasoningDelta("or", index=1),)) + call("conversation_search"),
        text("", "\n", "Let me", " see. ") + call("conversation_search", query="x"),
    ],
)
def test_blank_text_before_a_call_is_neither_streamed_nor_stored(
    client: Letta, scripted: ScriptedModel, model_name: str, first: Reply
) -> None:
    agent = new_agent(client, scripted.script(model_name, first, say("done")))
    pieces = check_streamed_as_stored(client, agent.id)
    streamed = "".join(f.content for f in pieces if f.message_type == "assistant_message")
    stored = "".join(m.content for m in listed(client, agent.id) if m.message_type == "assistant_message")
    assert streamed == stored


def test_an_answer_of_nothing_is_no_message(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, text(" \n"), say("yes")))
    assert check_streamed_as_stored(client, agent.id) == []
    assert send(client, agent.id).messages[0].content == "yes"


def test_old_agents_who_talk_beside_their_message_tool_are_not_told_twice(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    both = text("Let me", " say:") + call("send_message", message="Hello!")
    agent = new_agent(client, scripted.script(model_name, both), agent_type="memgpt_agent")
    frames = stream(client, agent.id, stream_tokens=True, include_pings=False)
    said = [f.content for f in frames if f.message_type == "assistant_message"]
    assert said == ["Let me", " say:", "Hello!"]


def test_calls_that_are_not_kept_are_not_streamed(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    both = call("conversation_search", query="a") + call("conversation_search", query="b")
    agent = new_agent(
        client, scripted.script(model_name, both, say("ok")), model_settings={"parallel_tool_calls": False}
    )
    pieces = check_streamed_as_stored(client, agent.id)
    assert len({f.tool_call.tool_call_id for f in pieces if f.message_type == "tool_call_message"}) == 1


def test_parallel_calls_return_together_in_order(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    both = (
        call("memory_insert", label="human", new_string="Likes tea.")
        + call("conversation_search", query="b")
        + call_raw("launch", "{}")
    )
    agent = new_agent(
        client, scripted.script(model_name, both, say("ok")), model_settings={"parallel_tool_calls": True}
    )
    answer = send(client, agent.id)
    assert kinds(answer.messages) == ["tool_call_message", "tool_return_message", "assistant_message"]
    called, returned, _ = answer.messages
    assert [c.tool_call_id for c in called.tool_calls] == [r.tool_call_id for r in returned.tool_returns]
    assert [r.status for r in returned.tool_returns] == ["success", "success", "error"]


def test_a_model_that_numbers_its_calls_alike_is_understood(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    start = ToolCallStart(0, "", "conversation_search"), ToolCallDelta(0, '{"query": "x"}')
    nameless = Reply((*start, Finish("tool_calls")))
    agent = new_agent(
        client,
        scripted.script(model_name, nameless + nameless, say("ok")),
        model_settings={"parallel_tool_calls": True},
    )
    pieces = check_streamed_as_stored(client, agent.id)
    streamed = {f.tool_call.tool_call_id for f in pieces if f.message_type == "tool_call_message"}
    (returned,) = [f for f in pieces if f.message_type == "tool_return_message"]
    assert streamed == {r.tool_call_id for r in returned.tool_returns}
    assert len(streamed) == 2


def test_a_silent_model_that_must_still_call_is_not_quoted(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rule = {"type": "required_before_exit", "tool_name": "conversation_search"}
    script = scripted.script(model_name, text(), call("conversation_search", query="x"), say("Now I may go."))
    agent = new_agent(client, script, tool_rules=[rule])
    answer = send(client, agent.id)
    assert answer.messages[-1].content == "Now I may go."
    for request in scripted.requests[model_name]:
        assert all(message.parts for message in request.messages)
        assert refusal(request.messages) is None
    heartbeat = json.loads(scripted.requests[model_name][1].messages[-1].parts[0].text)
    assert heartbeat["type"] == "heartbeat"
    assert "conversation_search" in heartbeat["reason"]


def test_old_agents_who_only_talk_are_heard_and_said_to_fail(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("Just words.")), agent_type="memgpt_v2_agent")
    answer = send(client, agent.id)
    assert [m.content for m in answer.messages] == ["Just words."]
    assert answer.stop_reason.stop_reason == "no_tool_call"
    (run,) = client.runs.list(agent_id=agent.id)
    assert (run.status, run.stop_reason) == ("failed", "no_tool_call")


def test_one_step_is_a_step(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, call("conversation_search", query="x"), say("ok")))
    answer = send(client, agent.id, max_steps=1)
    assert kinds(answer.messages) == ["tool_call_message", "tool_return_message"]
    assert (answer.stop_reason.stop_reason, answer.usage.step_count) == ("max_steps", 1)
    assert send(client, agent.id, max_steps=1).stop_reason.stop_reason == "end_turn"
    assert refusal(scripted.requests[model_name][-1].messages) is None


def test_what_cannot_be_stored_is_left_out_wherever_it_comes_from(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    find = call_raw(
        "memory_replace", '{"label": "hu\\ud800man\\u0000", "old_string": "x", "new_string": "y"}'
    )
    odd = think("h\x00m") + text("a\x00", "b\ud83d")
    agent = new_agent(client, scripted.script(model_name, find, odd))
    message = {
        "role": "user",
        "content": "nul \x00 here",
        "name": "A\x00",
        "sender_id": "\x00",
    }
    for options in ({}, {"streaming": True, "stream_tokens": True}):
        scripted.requests[model_name].clear()
        named = message | {"otid": f"o\x00{len(options)}"}
        answer = http.post(f"/v1/agents/{agent.id}/messages", json={"messages": [named], **options})
        assert answer.status_code == 200, answer.text
        assert '"end_turn"' in answer.text
        assert "event: error" not in answer.text
    kept = listed(client, agent.id)
    assert kept[1].content == "nul  here"
    assert kept[-1].content == "ab"


@pytest.mark.parametrize("where", ["input", "name"])
def test_half_a_surrogate_pair_is_refused_or_left_out(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, where: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    raw = {
        "input": '{"input": "half \\ud83d"}',
        "name": '{"messages": [{"role": "user", "content": "x", "name": "\\ud83d"}]}',
    }[where]
    headers = {"content-type": "application/json"}
    answer = http.post(f"/v1/agents/{agent.id}/messages", content=raw, headers=headers)
    assert answer.status_code in (200, 422)
    assert listed(client, agent.id)


def test_old_agents_who_say_half_a_pair_can_still_be_read(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    odd = call_raw("send_message", '{"message": "half \\ud83d \\u0000!"}')
    agent = new_agent(client, scripted.script(model_name, odd), agent_type="memgpt_agent")
    assert send(client, agent.id).messages[0].content == "half  !"
    assert "half  !" in [m.content for m in listed(client, agent.id) if m.message_type == "assistant_message"]


@pytest.mark.parametrize("path", ["/v1/runs/?agent_id=%00", "/v1/messages/?conversation_id=%00"])
def test_a_nul_in_an_address_is_no_fault_of_the_server(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code in (200, 400, 404, 422)


def test_a_long_message_is_kept_whole(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, say("long")))
    long = "wörd " * 400_000
    send(client, agent.id, long)
    assert listed(client, agent.id)[1].content == long


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "é"}, "is not base64"),
        ({"type": "base64", "media_type": "image/png", "data": ""}, "is empty"),
        ({"type": "base64", "media_type": "text/plain", "data": "eA=="}, "no image type"),
        ({"type": "url", "url": "ftp://x"}, "begins with https"),
        ({"type": "url", "url": "data:image/png,x"}, "must be base64"),
        ({"type": "letta", "file_id": "file-1"}, "no stored image file-1"),
    ],
)
def test_an_image_that_is_none_is_refused(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, source: Any, words: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("never")))
    answer = http.post(
        f"/v1/agents/{agent.id}/messages", json={"input": [{"type": "image", "source": source}]}
    )
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]
    assert kinds(listed(client, agent.id)) == ["system_message"]


@pytest.mark.parametrize("error", [ModelRateLimited("scripted: slow down"), ModelError("scripted: 502")])
def test_a_message_that_was_accepted_is_not_sent_again_by_the_client(
    live: LiveServer, api_key: str, scripted: ScriptedModel, model_name: str, error: Exception
) -> None:
    with Letta(base_url=live.url, api_key=api_key) as client:  # tries twice again, as clients do by default
        agent = new_agent(client, scripted.script(model_name, fail(error)))
        with pytest.raises(APIStatusError):
            send(client, agent.id, "only once")
        assert kinds(listed(client, agent.id)) == ["system_message", "user_message"]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_fault_nobody_expected_ends_the_run_and_is_told_without_details(
    live: LiveServer,
    client: Letta,
    http: httpx.Client,
    scripted: ScriptedModel,
    model_name: str,
    streaming: bool,
) -> None:
    broken = fail(RuntimeError("secret details"), after=say("Once upon"))
    agent = new_agent(client, scripted.script(model_name, broken, say("again")))
    body = {"input": "hi", "streaming": streaming}
    answer = http.post(f"/v1/agents/{agent.id}/messages", json=body)
    assert "secret" not in answer.text
    if streaming:
        assert answer.text.count("stop_reason") == 2  # the type and the field of one frame
        assert "event: error" in answer.text
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        assert answer.status_code == 500
        assert answer.headers["x-should-retry"] == "false"
        assert "unknown error" in answer.json()["detail"]
    (run,) = client.runs.list(agent_id=agent.id)
    assert (run.status, run.stop_reason) == ("failed", "error")
    assert run.metadata["error"]["error_type"] == "internal_error"
    (step,) = client.runs.steps.list(run.id)
    assert (step.status, step.error_type) == ("failed", "internal_error")
    assert client.steps.metrics.retrieve(step.id).llm_request_ns > 0
    assert client.agents.retrieve(agent.id).last_stop_reason == "error"
    assert [(m.content, m.is_err) for m in listed(client, agent.id)[2:]] == [("Once upon", True)]
    assert send(client, agent.id).messages[0].content == "again"


@pytest.mark.parametrize("streaming", [False, True])
def test_an_agent_deleted_in_mid_turn_ends_the_turn(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, streaming: bool, gate: Gate
) -> None:
    agent = new_agent(
        client, scripted.script(model_name, gate.before(call("conversation_search", query="x")))
    )
    answers: list[httpx.Response] = []
    body = {"input": "hi", "streaming": streaming}
    caller = threading.Thread(
        target=lambda: answers.append(http.post(f"/v1/agents/{agent.id}/messages", json=body))
    )
    caller.start()
    assert gate.reached.wait(10)
    client.agents.delete(agent.id)
    gate.opened.set()
    caller.join(10)
    (answer,) = answers
    if streaming:
        assert "event: error" in answer.text
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        assert answer.status_code == 503
        assert "was deleted" in answer.json()["detail"]


def test_a_stream_without_tokens_fails_with_an_error_frame_and_done(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, fail(ModelError("scripted: no"))))
    lines = raw_frames(http, agent.id, include_pings=False)
    assert [line.split(":")[0] for line in lines] == ["data", "event", "data", "data"]
    assert lines[-1] == "data: [DONE]"


def test_the_raw_exchange_of_a_step_can_be_read(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    (run,) = [client.runs.retrieve(send(client, agent.id).messages[0].run_id)]
    (step,) = client.runs.steps.list(run.id)
    for _ in range(100):
        trace = http.get(f"/v1/steps/{step.id}/trace")
        if trace.is_success:
            break
        threading.Event().wait(0.02)
    assert trace.json()["request_json"] == {"url": "scripted:", "scripted": True}
    assert trace.json()["response_json"] == {"status": 200, "text": ""}
    assert http.get(f"/v1/telemetry/{step.id}").json() == trace.json()
    assert http.delete(f"/v1/runs/{run.id}").is_success
    assert http.get(f"/v1/steps/{step.id}/trace").status_code == 404
    assert kinds(listed(client, agent.id)) == ["system_message", "user_message", "assistant_message"]


def test_runs_are_listed_by_what_they_are(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    first = send(client, agent.id).messages[0].run_id
    second = send(client, agent.id).messages[0].run_id

    def ids(**query: Any) -> list[str]:
        return [run["id"] for run in http.get("/v1/runs/", params=query).json()]

    assert ids() == [second, first]
    assert ids(ascending=True) == [first, second]
    assert ids(ascending=False) == [second, first]
    assert ids(agent_ids=[agent.id], limit=1) == [second]
    assert ids(statuses=["completed"]) == [second, first]
    assert ids(active=True) == []
    assert http.get("/v1/runs/active").json() == []
    assert ids(after=second) == [first]
    unknown = http.get("/v1/runs/", params={"statuses": ["asleep"]})
    assert unknown.status_code == 400
    assert "asleep" in unknown.json()["detail"]
    metrics = http.get(f"/v1/runs/{first}/metrics").json()
    assert (metrics["num_steps"], metrics["tools_used"]) == (1, [])


def test_a_run_at_work_is_listed_as_active_and_not_deleted(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    slow = gate.before(say("done"))
    agent = new_agent(client, scripted.script(model_name, slow))
    with http.stream(
        "POST", f"/v1/agents/{agent.id}/messages", json={"input": "hi", "streaming": True}
    ) as answer:
        lines = answer.iter_lines()
        next(lines)
        (run,) = http.get("/v1/runs/active", params={"agent_id": agent.id}).json()
        refused = http.delete(f"/v1/runs/{run['id']}")
        assert refused.status_code == 400
        assert "still running" in refused.json()["detail"]
        gate.opened.set()
        assert [line for line in lines if line][-1] == "data: [DONE]"


def test_a_forgetful_agent_sees_only_what_is_new(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")), message_buffer_autoclear=True)
    for words in ("one", "two"):
        send(client, agent.id, words)
    seen = [[part.text for m in r.messages for part in m.parts] for r in scripted.requests[model_name]]
    assert seen == [["one"], ["two"]]
    assert len(listed(client, agent.id)) == 5
