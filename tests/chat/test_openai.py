"""Agents as models of the official OpenAI client."""

import base64
import uuid
from typing import Any

import httpx
import openai
import pytest
from letta_client import Letta
from openai import OpenAI
from tests.conftest import LiveServer

from perdure.chat.openai.completions import Completion, chunk_stream
from perdure.chat.stream import DONE
from perdure.providers.base import ModelAuthenticationError, ModelRateLimited, Usage
from perdure.runs.live import LiveRun
from perdure.runs.runner import RunGoesOn
from perdure.testing.scripted import ScriptedModel, call, fail, say, think

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()


@pytest.fixture(params=["/openai/v1", "/v1"])
def ai(request: pytest.FixtureRequest, live: LiveServer, api_key: str) -> Any:
    """OpenAI's client at either base URL."""
    with OpenAI(base_url=live.url + request.param, api_key=api_key, timeout=30) as made:
        yield made


def new_agent(client: Letta, model: str, **fields: Any) -> str:
    return client.agents.create(model=model, memory_blocks=[{"label": "human", "value": "?"}], **fields).id


def ask(ai: OpenAI, model: str, text: Any = "hi", **options: Any) -> Any:
    return ai.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **options)


def joined(chunks: Any, field: str = "content") -> str:
    return "".join(getattr(c.choices[0].delta, field, None) or "" for c in chunks if c.choices)


def test_an_agent_answers_as_a_model(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    usage = Usage(50, 7, cached_input_tokens=20, reasoning_tokens=3)
    agent = new_agent(client, scripted.script(model_name, think("hm") + say("Hello there.", usage=usage)))
    answer = ask(ai, agent)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == (
        "assistant",
        "Hello there.",
        "stop",
    )
    assert choice.message.reasoning_content == "hm"
    assert (answer.model, answer.object) == (agent, "chat.completion")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        50,
        7,
        57,
    )
    assert answer.usage.prompt_tokens_details.cached_tokens == 20
    assert answer.usage.completion_tokens_details.reasoning_tokens == 3
    run = client.runs.retrieve(answer.id.replace("chatcmpl-", "run-"))
    assert (run.agent_id, run.status) == (agent, "completed")


def test_only_the_last_user_message_is_told(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("one"), say("two")))
    ask(ai, agent, "first")
    said = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "something else"},
        {"role": "assistant", "content": "whatever"},
        {"role": "user", "content": [{"type": "text", "text": "second"}]},
        {"role": "assistant", "content": "a beginning"},
    ]
    assert ai.chat.completions.create(model=agent, messages=said).choices[0].message.content == "two"
    told = [message.parts[0].text for message in scripted.requests[model_name][1].messages]
    assert told == ["first", "one", "second"]


def test_an_answer_streams_with_its_tools_out_of_sight(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    edit = say("Let me note it.") + call("memory_replace", label="human", old_string="?", new_string="Ann")
    agent = new_agent(client, scripted.script(model_name, think("a name") + edit, say("Hi Ann, hi.")))
    chunks = list(ask(ai, agent, "I am Ann", stream=True, stream_options={"include_usage": True}))
    assert joined(chunks) == "Let me note it.\n\nHi Ann, hi."
    assert joined(chunks, "reasoning_content") == "a name"
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) > 5
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        "stop"
    ]
    assert {c.id for c in chunks} == {chunks[0].id}
    assert chunks[-1].usage.total_tokens == 220
    assert "memory_replace" not in "".join(c.model_dump_json() for c in chunks)
    assert client.agents.blocks.retrieve("human", agent_id=agent).value == "Ann"


def test_a_waiting_answer_is_the_streamed_one(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    replies = (say("Look.") + call("conversation_search", query="x"), say("Found nothing."))
    agent = new_agent(client, scripted.script(model_name, *replies, *replies))
    whole = ask(ai, agent).choices[0].message.content
    scripted.requests[model_name].clear()
    assert joined(ask(ai, agent, stream=True)) == whole == "Look.\n\nFound nothing."


def test_a_stream_without_usage_has_none(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("hi")))
    assert all(c.choices and c.usage is None for c in ask(ai, agent, stream=True))


def test_an_agent_is_found_by_a_name_that_only_it_has(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    handle = scripted.script(model_name, say("me"))
    agent = new_agent(client, handle, name="Ann's helper")
    assert ask(ai, "Ann's helper").choices[0].message.content == "me"
    twin = new_agent(client, handle, name="Ann's helper")
    with pytest.raises(openai.BadRequestError, match="several agents") as refused:
        ask(ai, "Ann's helper")
    assert agent in refused.value.message
    assert twin in refused.value.message


def test_an_unknown_agent_is_an_unknown_model(ai: OpenAI) -> None:
    for name in ("gpt-4o", f"agent-{uuid.uuid4()}"):
        with pytest.raises(openai.NotFoundError, match="here is no agent"):
            ask(ai, name)
    with pytest.raises(openai.NotFoundError) as refused:
        ask(ai, "gpt-4o")
    assert (refused.value.code, refused.value.type) == ("model_not_found", "invalid_request_error")


def test_an_image_is_told_too(ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    agent = new_agent(client, scripted.script(model_name, say("a dot")))
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    ask(ai, agent, [{"type": "text", "text": "What is it?"}, image])
    parts = scripted.requests[model_name][0].messages[-1].parts
    assert (parts[0].text, parts[1].media_type, parts[1].data) == ("What is it?", "image/png", PNG)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "system", "content": "x"}], "no message of role `user`"),
        ([{"role": "user", "content": "  "}], "Empty content in"),
        ([{"role": "user", "content": None}], "Empty content in"),
        (
            [{"role": "user", "content": [{"type": "input_audio"}]}],
            r"messages\[0\].content\[0\]: send text or an image",
        ),
        ([{"role": "user", "content": [{"type": "image_url"}]}], r"content\[0\]: send text or an image"),
    ],
)
def test_what_cannot_be_told_is_a_bad_request(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str, messages: Any, words: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("never")))
    with pytest.raises(openai.BadRequestError, match=words) as refused:
        ai.chat.completions.create(model=agent, messages=messages)
    assert refused.value.type == "invalid_request_error"
    assert not scripted.requests[model_name]


def test_a_request_of_another_shape_is_explained(ai: OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="messages"):
        ai.chat.completions.create(model="x", messages=[])
    with pytest.raises(openai.UnprocessableEntityError, match="n: Input should be 1"):
        ask(ai, "x", n=2)


def test_without_a_key_nobody_answers(ai: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        ask(ai.with_options(api_key="wrong"), "x")
    assert refused.value.type == "authentication_error"


def test_a_failing_provider_is_told_once(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    """A client that tried again would say everything twice."""
    slow = fail(ModelRateLimited("Provider 'x' asks to slow down."))
    agent = new_agent(client, scripted.script(model_name, slow))
    with pytest.raises(openai.RateLimitError, match="slow down") as refused:
        ask(ai, agent)
    assert (refused.value.type, refused.value.code) == ("rate_limit_error", "llm_rate_limit")
    said = [m for m in client.agents.messages.list(agent) if m.message_type == "user_message"]
    assert len(said) == 1


def test_a_stream_that_fails_says_so(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    broken = fail(ModelAuthenticationError("Provider 'x' refuses the key."), after=say("I was about to"))
    agent = new_agent(client, scripted.script(model_name, broken))
    chunks = []
    with pytest.raises(openai.APIError, match="refuses the key"):
        chunks.extend(chunk for chunk in ask(ai, agent, stream=True))


def test_a_stream_that_fails_tells_what_was_said_before(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    broken = fail(ModelAuthenticationError("No key."), after=say("I was about"))
    agent = new_agent(client, scripted.script(model_name, broken))
    body = {"model": agent, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    told = http.post("/v1/chat/completions", json=body).text
    assert told.index("I was") if "I was" in told else told.index('"I"')
    assert told.index('"error"') < told.index("[DONE]")
    assert '"finish_reason":"stop"' not in told


def test_a_silent_agent_gives_signs_of_life(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    import asyncio

    from perdure.testing.scripted import wait

    agent = new_agent(client, scripted.script(model_name, wait(lambda: asyncio.sleep(0.5), say("at last"))))
    body = {"model": agent, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    assert ": the agent is at work" in http.post("/v1/chat/completions", json=body).text


def test_a_call_that_waits_for_approval_is_mentioned(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    rule = {"type": "requires_approval", "tool_name": "conversation_search"}
    held = say("I would look.") + call("conversation_search", query="x")
    agent = new_agent(client, scripted.script(model_name, held), tool_rules=[rule])
    said = ask(ai, agent).choices[0].message.content
    assert said.startswith("I would look.\n\n[A tool call of this agent waits for approval.")


def test_the_spoken_message_of_older_agents_is_the_answer(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(
        client,
        scripted.script(model_name, call("send_message", message="Hello.")),
        agent_type="memgpt_v2_agent",
    )
    assert ask(ai, agent).choices[0].message.content == "Hello."
    assert joined(ask(ai, agent, stream=True)) == "Hello."


def test_steps_used_up_end_like_a_length(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    from perdure.providers.base import Finish, TextDelta
    from perdure.testing.scripted import Reply

    cut = Reply((TextDelta("It was a"), Finish("length", Usage(1, 1))))
    agent = new_agent(client, scripted.script(model_name, cut))
    assert ask(ai, agent).choices[0].finish_reason == "length"
    reasons = [c.choices[0].finish_reason for c in ask(ai, agent, stream=True)]
    assert reasons[-1] == "length"


def test_agents_are_listed_as_models(
    live: LiveServer, api_key: str, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    handle = scripted.script(model_name, say("hi"))
    shown, hidden = new_agent(client, handle, name="Shown"), new_agent(client, handle, hidden=True)
    with OpenAI(base_url=f"{live.url}/openai/v1", api_key=api_key) as ai:
        models = ai.models.list().data
        assert [(m.id, m.object, m.owned_by, m.name) for m in models] == [
            (shown, "model", "perdure", "Shown")
        ]
        assert ai.models.retrieve("Shown").id == shown
        assert ai.models.retrieve(hidden).id == hidden
        with pytest.raises(openai.NotFoundError):
            ai.models.retrieve("nobody")
    handles = [model.handle for model in client.models.list()]
    assert shown not in handles


def test_an_agent_answers_as_a_response(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    edit = think("a name") + say("Noted.") + call("conversation_search", query="x")
    agent = new_agent(client, scripted.script(model_name, edit, say("Hi Ann.")))
    answer = ai.responses.create(model=agent, input="I am Ann")
    assert [item.type for item in answer.output] == ["reasoning", "message", "message"]
    assert answer.output[0].summary[0].text == "a name"
    assert answer.output_text == "Noted.Hi Ann."
    assert (answer.status, answer.model, answer.usage.total_tokens) == ("completed", agent, 220)
    assert client.runs.retrieve(answer.id.replace("resp_", "run-")).status == "completed"


def test_a_response_streams_event_by_event(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, think("hm") + say("Hello my friend.")))
    said = [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
    with ai.responses.stream(model=agent, input=said) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events if event.type != "x"] == list(range(len(events)))
    assert [e.type for e in events][:2] == ["response.created", "response.in_progress"]
    assert events[-1].type == "response.completed"
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "Hello my friend."
    assert final.output_text == "Hello my friend."
    assert final.output[0].summary[0].text == "hm"


def test_a_response_that_fails_says_so(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    broken = fail(ModelRateLimited("Provider 'x' asks to slow down."), after=say("I was"))
    agent = new_agent(client, scripted.script(model_name, broken))
    events = list(ai.responses.create(model=agent, input="hi", stream=True))
    assert events[-1].type == "response.failed"
    assert (events[-1].response.error.code, events[-1].response.status) == ("llm_rate_limit", "failed")
    with pytest.raises(openai.RateLimitError):
        ai.responses.create(model=agent, input="hi")
    with pytest.raises(openai.BadRequestError, match="input: there is no message"):
        ai.responses.create(model=agent, input=[{"role": "system", "content": "x"}])


def test_agents_of_others_are_no_models(
    live: LiveServer, new_key: Any, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("secret")), name="Mine")
    with OpenAI(base_url=f"{live.url}/openai/v1", api_key=new_key()) as stranger:
        assert stranger.models.list().data == []
        for name in (agent, "Mine"):
            with pytest.raises(openai.NotFoundError):
                ask(stranger, name)
            with pytest.raises(openai.NotFoundError):
                stranger.responses.create(model=name, input="hi")
    assert scripted.requests[model_name] == []


def test_a_conversation_is_a_model_with_a_history_of_its_own(
    ai: OpenAI, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, say("one"), say("two")))
    conversation = client.conversations.create(agent_id=agent).id
    ask(ai, agent, "not here")
    assert ask(ai, conversation, "here").choices[0].message.content == "two"
    assert [message.parts[0].text for message in scripted.requests[model_name][1].messages] == ["here"]
    with pytest.raises(openai.NotFoundError, match="no conversation"):
        ask(ai, f"conv-{uuid.uuid4()}")


async def test_a_stream_of_a_run_that_goes_on_elsewhere_when_its_server_stops_has_no_end():
    run = LiveRun("run-x", durable=True)
    run.stop.handed_over = True
    run.finish(RunGoesOn(run.run_id))
    told = [chunk async for chunk in chunk_stream(run, Completion("run-x", "m"), usage=False, silence=1)]
    assert len(told) == 1
    assert DONE not in told
