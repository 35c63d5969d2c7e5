"""Talking in conversations: streams, their own memory and model, one writer per history."""

import threading
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, ConflictError, Letta, NotFoundError
from tests.chat.conftest import Gate

from perdure.content.parts import text_of
from perdure.testing.scripted import ScriptedModel, call, say


@pytest.fixture
def agent(client: Letta, model_name: str) -> Any:
    return client.agents.create(
        model=f"scripted/{model_name}",
        memory_blocks=[{"label": "human", "value": "Ada"}, {"label": "task", "value": "none"}],
        tools=["memory_rethink", "conversation_search"],
        include_base_tools=False,
    )


def send(http: httpx.Client, thread: str, text: str, **options: Any) -> Any:
    body = {"input": text, "streaming": False, **options}
    answer = http.post(f"/v1/conversations/{thread}/messages", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def begin(client: Letta, agent: Any, labels: list[str] | None = None, **fields: Any) -> Any:
    body = {"isolated_block_labels": labels} if labels else None
    return client.conversations.create(agent_id=agent.id, extra_body=body, **fields)


def contents(client: Letta, thread: str, **query: Any) -> list[Any]:
    items = client.conversations.messages.list(thread, order="asc", **query).items
    return [item.content for item in items if item.message_type in ("user_message", "assistant_message")]


def test_the_route_streams_unless_told_otherwise(client: Letta, http: httpx.Client, agent: Any) -> None:
    made = begin(client, agent)
    frames = list(client.conversations.messages.create(made.id, input="hi", include_pings=False))
    assert [frame.message_type for frame in frames] == [
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
    answer = send(http, made.id, "again")
    assert [message["content"] for message in answer["messages"]] == ["ok"]
    assert answer["stop_reason"]["stop_reason"] == "end_turn"


def test_tokens_pings_and_numbers_come_as_on_an_agents_route(client: Letta, agent: Any) -> None:
    made = begin(client, agent)
    frames = list(
        client.conversations.messages.create(
            made.id, messages=[{"role": "user", "content": "hi"}], stream_tokens=True, background=True
        )
    )
    assert frames[0].message_type == "ping"
    assert [frame.seq_id for frame in frames if frame.message_type == "assistant_message"] == [2]


def test_each_history_is_told_apart_from_the_others(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    one, two = begin(client, agent), begin(client, agent)
    send(http, one.id, "in one")
    send(http, two.id, "in two")
    client.agents.messages.create(agent.id, input="in default")
    assert contents(client, one.id) == ["in one", "ok"]
    assert contents(client, two.id) == ["in two", "ok"]
    assert contents(client, "default", agent_id=agent.id) == ["in default", "ok"]
    assert contents(client, agent.id) == ["in default", "ok"]
    told = [[text_of(m.parts) for m in request.messages] for request in scripted.requests[model_name]]
    assert told == [["in one"], ["in two"], ["in default"]]
    everything = client.agents.messages.list(agent.id, order="asc").items
    said = [item.content for item in everything if item.message_type == "user_message"]
    assert said == ["in one", "in two", "in default"]
    newest = client.conversations.messages.list(one.id, order="desc").items
    assert [item.message_type for item in newest] == ["assistant_message", "user_message", "system_message"]
    assert [item.id for item in client.agents.messages.list(agent.id, conversation_id=two.id).items] == [
        item.id for item in client.conversations.messages.list(two.id).items
    ]


def test_default_needs_to_know_whose(client: Letta, http: httpx.Client, agent: Any) -> None:
    assert client.conversations.messages.list("default").items == []
    with pytest.raises(BadRequestError, match="agent_id"):
        client.conversations.messages.create("default", input="hi")
    for thread, options in (("default", {"agent_id": agent.id}), (agent.id, {})):
        send(http, thread, "hi", **options)
    assert contents(client, agent.id) == ["hi", "ok"] * 2
    with pytest.raises(NotFoundError, match="no agent"):
        client.conversations.messages.create(agent.id[:-4] + "0000", input="hi")


def test_a_run_knows_its_conversation(client: Letta, http: httpx.Client, agent: Any) -> None:
    made = begin(client, agent)
    assert made.last_message_at is None
    send(http, made.id, "hi")
    send(http, agent.id, "hi")
    [run] = client.runs.list(conversation_id=made.id).items
    assert (run.agent_id, run.conversation_id, run.status) == (agent.id, made.id, "completed")
    assert run.metadata == {"run_type": "send_conversation_message"}
    assert client.conversations.retrieve(made.id).last_message_at
    assert client.agents.retrieve(agent.id).last_stop_reason == "end_turn"


def test_tools_change_the_blocks_of_the_conversation(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    made = begin(client, agent, ["human"])
    scripted.script(
        model_name,
        call("memory_rethink", label="human", new_memory="Grace"),
        call("memory_rethink", label="task", new_memory="dishes"),
        say("ok"),
    )
    send(http, made.id, "hi")
    prompts = [request.system for request in scripted.requests[model_name]]
    assert "Ada" in prompts[0]
    assert "Grace" in prompts[1]
    assert "Ada" not in prompts[1]
    assert "dishes" in prompts[2]
    assert client.blocks.retrieve(made.isolated_block_ids[0]).value == "Grace"
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Ada"
    assert client.agents.blocks.retrieve("task", agent_id=agent.id).value == "dishes"
    send(http, agent.id, "hi")
    last = scripted.requests[model_name][-1].system
    assert "Ada" in last
    assert "dishes" in last


def test_a_block_renamed_in_a_conversation_is_seen_once(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    made = begin(client, agent, ["human"])
    client.blocks.update(made.isolated_block_ids[0], label="person", value="Grace")
    send(http, made.id, "hi")
    prompt = scripted.requests[model_name][-1].system
    assert "<person>" in prompt
    assert "<human>" not in prompt


def test_the_request_goes_before_the_conversation_before_the_agent(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    settings: Any = {"provider_type": "openai", "temperature": 0.5}
    mine, other = f"{model_name}-mine", f"{model_name}-other"
    made = begin(client, agent, model=f"scripted/{mine}", model_settings=settings, context_window_limit=9000)
    client.agents.update(
        agent.id, model_settings={"provider_type": "openai", "temperature": 1, "max_output_tokens": 70}
    )
    send(http, made.id, "hi")
    send(http, made.id, "hi", override_model=f"scripted/{other}")
    send(http, agent.id, "hi")
    asked = [scripted.requests[name][-1] for name in (mine, other, model_name)]
    assert [request.temperature for request in asked] == [0.5, 0.5, 1]
    assert [request.max_output_tokens for request in asked] == [70] * 3
    steps = [
        step for run in client.runs.list(conversation_id=made.id) for step in client.runs.steps.list(run.id)
    ]
    assert {step.context_window_limit for step in steps} == {9000}
    client.conversations.update(made.id, model=None)
    send(http, made.id, "hi")
    assert len(scripted.requests[model_name]) == 2


def test_the_search_tool_finds_what_was_said_here_and_before_the_fork(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str
) -> None:
    made, elsewhere = begin(client, agent), begin(client, agent)
    send(http, made.id, "tea with milk")
    send(http, elsewhere.id, "tea with lemon")
    forked = client.conversations.fork(made.id)
    send(http, made.id, "tea with rum")
    asked = len(scripted.requests[model_name])
    scripted.script(model_name, *[say("ok")] * asked, call("conversation_search", query="tea"), say("ok"))
    answer = send(http, forked.id, "what tea?")
    [found] = [m["tool_return"] for m in answer["messages"] if m["message_type"] == "tool_return_message"]
    assert "milk" in found
    assert "lemon" not in found
    assert "rum" not in found


def test_one_writer_per_history_and_many_histories_at_once(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    scripted.script(model_name, gate.before(say("slow")), say("ok"))
    made, other = begin(client, agent), begin(client, agent)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(send(http, made.id, "slowly")))
    first.start()
    try:
        assert gate.reached.wait(10)
        with pytest.raises(ConflictError) as refused:
            client.conversations.messages.create(made.id, input="now")
        assert "another request is currently being processed" in str(refused.value)
        assert refused.value.body["run_id"] == client.runs.list(conversation_id=made.id).items[0].id
        send(http, other.id, "meanwhile")
        client.agents.messages.create(agent.id, input="meanwhile")
    finally:
        gate.opened.set()
        first.join(10)
    assert answers[0]["stop_reason"]["stop_reason"] == "end_turn"
    assert contents(client, made.id) == ["slowly", "slow"]


def test_a_conversation_deleted_in_the_middle_of_a_turn_ends_it(
    client: Letta, http: httpx.Client, agent: Any, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    scripted.script(model_name, gate.before(say("slow")), say("ok"))
    made = begin(client, agent)
    answers: list[httpx.Response] = []
    body = {"input": "hi", "streaming": False}
    path = f"/v1/conversations/{made.id}/messages"
    first = threading.Thread(target=lambda: answers.append(http.post(path, json=body)))
    first.start()
    assert gate.reached.wait(10)
    client.conversations.delete(made.id)
    gate.opened.set()
    first.join(10)
    assert answers[0].status_code >= 400
    assert client.agents.messages.create(agent.id, input="hi").stop_reason.stop_reason == "end_turn"
