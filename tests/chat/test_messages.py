"""Sending and reading messages with the official client."""

import json
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, Letta, NotFoundError, UnprocessableEntityError
from tests.conftest import LiveServer

from perdure.testing.scripted import ScriptedModel, call, call_raw, fail, say, think


def new_agent(client: Letta, model: str, **fields: Any) -> Any:
    blocks = [{"label": "human", "value": "Name unknown."}, {"label": "persona", "value": "Kind."}]
    return client.agents.create(**{"model": model, "memory_blocks": blocks, **fields})


def kinds(messages: Any) -> list[str]:
    return [message.message_type for message in messages]


def send(client: Letta, agent_id: str, text: str = "hello", **options: Any) -> Any:
    return client.agents.messages.create(agent_id, input=text, **options)


def test_an_agent_answers(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, say("Hello there.")))
    answer = client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "hi"}])
    assert kinds(answer.messages) == ["assistant_message"]
    assert answer.messages[0].content == "Hello there."
    assert answer.stop_reason.stop_reason == "end_turn"
    assert (answer.usage.step_count, answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
        1,
        100,
        10,
    )
    (request,) = scripted.requests[model_name]
    assert "Name unknown." in request.system
    assert [message.parts[0].text for message in request.messages] == ["hi"]


def test_an_agent_remembers_then_answers(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    edit = call("memory_replace", label="human", old_string="Name unknown.", new_string="Called Ann.")
    agent = new_agent(client, scripted.script(model_name, think("A name!", "sig") + edit, say("Hi Ann.")))
    answer = send(client, agent.id, "I am Ann")
    assert kinds(answer.messages) == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    reasoning, called, returned, said = answer.messages
    assert (reasoning.reasoning, reasoning.signature) == ("A name!", "sig")
    assert reasoning.id == called.id
    assert reasoning.otid != called.otid
    assert called.tool_call.name == "memory_replace"
    assert returned.status == "success"
    assert returned.tool_call_id == called.tool_call.tool_call_id
    assert said.content == "Hi Ann."
    assert answer.usage.step_count == 2
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Called Ann."
    first, second = scripted.requests[model_name]
    assert "Called Ann." not in first.system
    assert "Called Ann." in second.system


def test_what_was_said_is_listed_in_both_orders(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("one"), say("two"), say("three")))
    for text in ("a", "b", "c"):
        send(client, agent.id, text)
    oldest_first = client.agents.messages.list(agent.id, order="asc", limit=2)
    spoken = [m.content for m in oldest_first if m.message_type != "system_message"]
    assert spoken == ["a", "one", "b", "two", "c", "three"]
    newest_first = [m.content for m in client.agents.messages.list(agent.id, limit=3)]
    assert newest_first[:6] == spoken[::-1]
    assert len(newest_first) == 7
    only_mine = client.agents.messages.list(
        agent.id, include_return_message_types=["user_message"], order="asc"
    )
    assert [m.content for m in only_mine] == ["a", "b", "c"]


def test_one_stored_message_is_read_as_its_pieces(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, think("hm") + say("so")))
    answer = send(client, agent.id)
    pieces = client.messages.retrieve(answer.messages[-1].id)
    assert [piece.message_type for piece in pieces] == ["reasoning_message", "assistant_message"]


def test_images_reach_the_model_and_come_back(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("A dot.")))
    dot = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    content = [{"type": "text", "text": "What is this?"}, dot]
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": content}])
    (request,) = scripted.requests[model_name]
    assert request.messages[-1].parts[1].data == "iVBORw0KGgo="
    stored = [m for m in client.agents.messages.list(agent.id) if m.message_type == "user_message"]
    assert stored[0].content[1].source.data == "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "exactly one of `messages` and `input`"),
        ({"input": "x", "messages": []}, 422, "exactly one"),
        ({"input": "  "}, 400, "Empty content in"),
        ({"messages": []}, 400, "at least one message"),
        ({"messages": [{"role": "bishop", "content": "x"}]}, 422, "role"),
        ({"input": "x", "max_steps": 0}, 422, "max_steps"),
        ({"input": "x", "stream_tokens": True}, 422, "`stream_tokens` needs `streaming: true`"),
        (
            {
                "input": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%"}}
                ]
            },
            400,
            "is not base64",
        ),
        ({"input": "x", "override_model": "scripted"}, 400, "scripted"),
        ({"input": "x", "override_model": "nobody/x"}, 404, "NOT_FOUND"),
    ],
)
def test_bad_input_names_the_field_and_stores_nothing(
    client: Letta,
    http: httpx.Client,
    scripted: ScriptedModel,
    model_name: str,
    body: Any,
    status: int,
    words: str,
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("never")))
    answer = http.post(f"/v1/agents/{agent.id}/messages", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert list(client.runs.list(agent_id=agent.id)) == []
    assert kinds(client.agents.messages.list(agent.id)) == ["system_message"]


def test_an_unknown_agent_is_not_found(client: Letta) -> None:
    with pytest.raises(NotFoundError):
        send(client, "agent-00000000-0000-4000-8000-000000000001")
    with pytest.raises(UnprocessableEntityError):
        send(client, "agent-1")


def test_a_tool_that_fails_is_news_for_the_model(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    wrong = call("memory_replace", label="human", old_string="not there", new_string="x")
    agent = new_agent(client, scripted.script(model_name, wrong, say("Sorry.")))
    answer = send(client, agent.id)
    assert answer.messages[1].status == "error"
    assert answer.messages[-1].content == "Sorry."
    told = scripted.requests[model_name][1].messages[-1].parts[0]
    assert json.loads(told.text)["status"] == "Failed"


def test_malformed_arguments_are_told_and_stop_after_a_few(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, call_raw("memory_insert", '{"label": ')))
    answer = send(client, agent.id)
    assert "not valid JSON" in answer.messages[1].tool_return
    assert answer.stop_reason.stop_reason == "invalid_tool_call"
    assert answer.usage.step_count == 3


def test_an_unknown_tool_is_refused_with_the_valid_ones(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, call("launch"), say("ok")))
    answer = send(client, agent.id)
    assert answer.messages[1].tool_return.startswith("[ToolConstraintError]")
    assert "memory_insert" in answer.messages[1].tool_return


def test_the_steps_of_a_turn_are_limited(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, call("conversation_search", query="x")))
    answer = send(client, agent.id, max_steps=2)
    assert answer.stop_reason.stop_reason == "max_steps"
    assert answer.usage.step_count == 2
    (run,) = client.runs.list(agent_id=agent.id)
    assert run.status == "completed"


def test_a_rule_that_prescribes_what_a_tool_does_not_take_ends_the_turn(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rule = {"type": "run_first", "tool_name": "conversation_search", "args": {"colour": "red"}}
    script = scripted.script(model_name, call("conversation_search", query="x"))
    agent = new_agent(client, script, tool_rules=[rule])
    answer = send(client, agent.id)
    assert answer.stop_reason.stop_reason == "invalid_tool_call"
    assert "colour" in answer.messages[1].tool_return
    (run,) = client.runs.list(agent_id=agent.id)
    assert run.status == "failed"


def test_rules_narrow_what_is_offered_and_prefill_arguments(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rule = {"type": "run_first", "tool_name": "conversation_search", "args": {"query": "tea"}}
    script = scripted.script(model_name, call("conversation_search"), say("done"))
    agent = new_agent(client, script, tool_rules=[rule])
    answer = send(client, agent.id)
    assert answer.messages[1].status == "success"
    first, second = scripted.requests[model_name]
    assert [tool.name for tool in first.tools] == ["conversation_search"]
    assert (first.tool_choice.mode, first.tool_choice.name) == ("named", "conversation_search")
    assert len(second.tools) == 3
    assert second.tool_choice.mode == "auto"


def test_another_model_and_prompt_serve_one_request(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("mine")))
    other = scripted.script(f"{model_name}-other", say("other"))
    answer = send(client, agent.id, override_model=other, override_system="Only this.")
    assert answer.messages[0].content == "other"
    assert scripted.requests[f"{model_name}-other"][0].system == "Only this."
    assert send(client, agent.id).messages[0].content == "mine"


def test_a_full_memory_gives_a_clear_error_to_the_model_only(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(
        client,
        scripted.script(model_name, call("memory_insert", label="human", new_string="x" * 50), say("Full.")),
        memory_blocks=[{"label": "human", "value": "", "limit": 20}],
    )
    answer = send(client, agent.id)
    assert answer.messages[1].status == "error"
    assert "20" in answer.messages[1].tool_return


def test_old_agents_speak_through_their_message_tool(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    speak = call("send_message", message="Hello!", thinking="be nice")
    agent = new_agent(client, scripted.script(model_name, speak), agent_type="memgpt_agent")
    answer = send(client, agent.id)
    assert kinds(answer.messages) == ["assistant_message"]
    assert answer.messages[0].content == "Hello!"
    assert answer.stop_reason.stop_reason == "tool_rule"
    (request,) = scripted.requests[model_name]
    assert request.tool_choice.mode == "required"
    insert = next(tool for tool in request.tools if tool.name == "core_memory_append")
    assert {"thinking", "request_heartbeat"} <= set(insert.parameters["required"])


def test_structured_output_is_asked_of_the_model(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    agent = new_agent(client, scripted.script(model_name, say("{}")), response_format=schema)
    send(client, agent.id)
    assert scripted.requests[model_name][0].response_format == schema


def test_a_prompt_that_nothing_changed_is_sent_byte_for_byte_again(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("one")))
    for _ in range(3):
        send(client, agent.id)
    assert len({request.system for request in scripted.requests[model_name]}) == 1


def test_a_block_changed_by_rest_is_seen_by_the_next_message(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("one")))
    send(client, agent.id)
    client.agents.blocks.update("human", agent_id=agent.id, value="Called Bob.")
    send(client, agent.id)
    assert "Called Bob." in scripted.requests[model_name][1].system
    system = next(m for m in client.agents.messages.list(agent.id) if m.message_type == "system_message")
    assert "Called Bob." in system.content


def test_a_provider_that_fails_is_named_with_its_words(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    from perdure.providers.base import ModelRateLimited

    refused = ModelRateLimited("scripted: slow down, friend", provider="scripted", retry_after=60)
    agent = new_agent(client, scripted.script(model_name, fail(refused), say("now")))
    with pytest.raises(APIStatusError) as caught:
        send(client, agent.id, "remember me")
    assert caught.value.status_code == 429
    assert caught.value.body["error"]["type"] == "llm_rate_limit"
    assert "slow down, friend" in caught.value.body["error"]["message"]
    (run,) = client.runs.list(agent_id=agent.id)
    assert (run.status, run.stop_reason) == ("failed", "llm_api_error")
    assert send(client, agent.id, "again").messages[0].content == "now"
    told = [message.parts[0].text for message in scripted.requests[model_name][-1].messages]
    assert told == ["remember me", "again"]


def test_runs_and_steps_tell_what_happened(
    client: Letta, live: LiveServer, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, call("conversation_search", query="x"), say("ok")))
    answer = send(client, agent.id)
    run = client.runs.retrieve(answer.messages[0].run_id)
    assert (run.status, run.stop_reason, run.agent_id) == ("completed", "end_turn", agent.id)
    assert run.metadata == {"run_type": "send_message"}
    assert run.total_duration_ns > run.ttft_ns > 0
    steps = list(client.runs.steps.list(run.id))
    assert [step.status for step in steps] == ["success", "success"]
    assert steps[0].provider_name == "scripted"
    assert {m.step_id for m in client.runs.messages.list(run.id)} == {step.id for step in steps}
    assert client.runs.usage.retrieve(run.id).total_tokens == 220
    assert client.steps.metrics.retrieve(steps[0].id).llm_request_ns > 0
    assert client.steps.retrieve(steps[1].id).total_tokens == 110
    assert [step.id for step in client.steps.list(agent_id=agent.id)] == [s.id for s in steps[::-1]]
    client.steps.feedback.create(steps[0].id, feedback="positive", tags=["good"])
    assert client.steps.retrieve(steps[0].id).feedback == "positive"
    kept = list(client.steps.messages.list(steps[0].id))
    assert kinds(kept) == ["user_message", "tool_call_message", "tool_return_message"]


def test_a_changed_model_counts_from_the_next_message_on(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("old")))
    assert send(client, agent.id).messages[0].content == "old"
    client.agents.update(agent.id, model=scripted.script(f"{model_name}-new", say("new")))
    assert send(client, agent.id).messages[0].content == "new"
    (step,) = client.runs.steps.list(client.runs.list(agent_id=agent.id).items[0].id)
    assert step.api_model_handle == f"scripted/{model_name}-new"


def test_a_deleted_agent_is_not_found_although_it_was_just_talked_to(
    client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("ok")))
    send(client, agent.id)
    client.agents.delete(agent.id)
    with pytest.raises(NotFoundError):
        send(client, agent.id)
