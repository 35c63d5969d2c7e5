"""Providers that fail, over real HTTP: the whole way from their answer to the caller's."""

import json
import time
import uuid
from typing import Any

import httpx
import pytest
from letta_client import Letta


@pytest.fixture
def agent_id(client: Letta, handle: str) -> str:
    block = {"label": "human", "value": "Name unknown."}
    return client.agents.create(model=handle, memory_blocks=[block]).id


def send(http: httpx.Client, agent_id: str, text: str) -> httpx.Response:
    return http.post(f"/v1/agents/{agent_id}/messages", json={"input": text})


def spoken(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [m["content"] for m in answer.json()["messages"] if m["message_type"] == "assistant_message"]


def test_an_agent_edits_its_memory_over_the_wire(http: httpx.Client, client: Letta, agent_id: str) -> None:
    edit = {"label": "human", "old_string": "Name unknown.", "new_string": "Called Ann."}
    answer = send(http, agent_id, f"call:memory_replace {json.dumps(edit)}\nstep:\nsay:Hello Ann.")
    assert spoken(answer) == ["Hello Ann."]
    assert client.agents.blocks.retrieve("human", agent_id=agent_id).value == "Called Ann."
    assert answer.json()["usage"]["step_count"] == 2
    assert answer.json()["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize(
    ("verb", "status", "kind"),
    [
        ("fail:401", 401, "llm_authentication"),
        ("fail:429 after=120", 429, "llm_rate_limit"),
        ("quota:", 402, "llm_insufficient_credits"),
        ("fail:400", 400, "llm_bad_request"),
        ("overflow:", 400, "context_window_overflow_in_system_prompt"),
    ],
)
def test_a_refusal_reaches_the_caller_by_its_kind_and_the_next_message_works(
    http: httpx.Client, handle: str, agent_id: str, verb: str, status: int, kind: str
) -> None:
    answer = send(http, agent_id, verb)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind), answer.text
    assert handle.split("/")[0] in answer.json()["error"]["message"]
    assert spoken(send(http, agent_id, "say:back again")) == ["back again"]


def test_a_failure_that_passes_is_tried_again(http: httpx.Client, agent_id: str) -> None:
    assert (
        spoken(send(http, agent_id, f"fail:429 after=0.01 times=1 {uuid.uuid4()}\nsay:third time lucky"))
        != []
    )


def test_a_stream_cut_in_the_middle_shows_what_came_and_a_clear_error(
    http: httpx.Client, client: Letta, agent_id: str
) -> None:
    body = {"input": "cut:\ncount:20", "streaming": True, "stream_tokens": True, "include_pings": False}
    with http.stream("POST", f"/v1/agents/{agent_id}/messages", json=body) as answer:
        lines = [line for line in answer.iter_lines() if line]
    frames = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    text = "".join(f["content"] for f in frames if f["message_type"] == "assistant_message")
    assert text
    assert frames[-1]["message_type"] == "error_message"
    assert lines[-1] == "data: [DONE]"
    kept = [m for m in client.agents.messages.list(agent_id) if m.message_type == "assistant_message"]
    assert [m.content for m in kept] == [text]
    assert spoken(send(http, agent_id, "say:still here")) == ["still here"]


def test_the_raw_exchange_of_a_step_is_kept_without_the_key(
    http: httpx.Client, client: Letta, agent_id: str
) -> None:
    run_id = send(http, agent_id, "say:traced").json()["messages"][0]["run_id"]
    (step,) = client.runs.steps.list(run_id)
    for _ in range(200):
        answer = http.get(f"/v1/steps/{step.id}/trace")
        if answer.status_code == 200:
            break
        time.sleep(0.02)  # written in the background
    trace: dict[str, Any] = answer.json()
    assert "traced" in json.dumps(trace["request_json"])
    assert trace["response_json"]["status"] == 200
    assert "secret-1" not in answer.text


def test_a_dead_provider_is_named_and_the_conversation_goes_on(client: Letta, http: httpx.Client) -> None:
    body = {"name": "dead", "provider_type": "openai", "api_key": "x", "base_url": "http://127.0.0.1:9"}
    http.post("/v1/providers/", json=body).raise_for_status()
    agent = client.agents.create(model="dead/some-model", memory_blocks=[])
    answer = send(http, agent.id, "hello?")
    assert answer.status_code in (502, 503)
    assert "dead" in answer.json()["error"]["message"]
    assert spoken(
        http.post(f"/v1/agents/{agent.id}/messages", json={"input": "hi", "override_model": "demo/offline"})
    )


def test_an_unknown_model_is_answered_with_the_nearest(
    client: Letta, http: httpx.Client, handle: str
) -> None:
    answer = http.post(
        "/v1/agents/", json={"model": handle.replace("mini", "miny").replace("haiku", "haiko")}
    )
    assert answer.status_code == 404
    assert handle.split("/")[1][:6] in answer.json()["detail"]
