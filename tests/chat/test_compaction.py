"""Conversations that outgrow their model's window: they go on, and nothing said is lost."""

import json
import threading
from typing import Any

import pytest
from letta_client import APIStatusError, Letta
from tests.chat.conftest import Gate, until

from perdure.content.parts import calls_of, returns_of, text_of
from perdure.loop.measure import size_of
from perdure.providers.base import ContextOverflow, Finish, ModelRequest, ModelUnavailable, Usage
from perdure.testing.scripted import Reply, ScriptedModel, call, fail, say

WINDOW = 2000
WORDS = "All work and no play makes Jack a dull boy. " * 8  # about 90 tokens
SUMMARY = "Jack works too much."


def wants_summary(request: ModelRequest) -> bool:
    return "write the summary" in request.system


def counted(reply: Reply, usage: Usage) -> Reply:
    """The same reply of a provider that counts truly."""
    events = (Finish(e.reason, usage) if isinstance(e, Finish) else e for e in reply.events)
    return Reply(tuple(events), reply.error, reply.before)


def is_alerted(request: ModelRequest) -> bool:
    return "about to leave your view" in text_of(request.messages[-1].parts)


def said_last(request: ModelRequest) -> str:
    return text_of(request.messages[-1].parts)


def summaries_in(request: ModelRequest) -> list[str]:
    """The summaries a model is told, out of their wrapping."""
    texts = [text_of(message.parts) for message in request.messages if message.role == "user"]
    return [json.loads(text)["message"] for text in texts if text.startswith('{"type": "system_alert"')]


class Mind:
    """A model with a real window: refuses what does not fit it, counts what it reads."""

    def __init__(self, window: int = WINDOW):
        self.window = window
        self.usage = Usage()
        self.refused = 0
        self.largest = 0
        self.summarised: list[ModelRequest] = []
        self.alerted: list[ModelRequest] = []
        self.asked: list[ModelRequest] = []

    def __call__(self, request: ModelRequest) -> Reply:
        size = size_of(request).total
        if size > self.window:
            self.refused += 1
            return fail(ContextOverflow(f"{size} tokens are too many"))
        self.usage = Usage(size, 10)
        if wants_summary(request):
            self.summarised.append(request)
            return counted(self.summary(), self.usage)
        if is_alerted(request):
            self.alerted.append(request)
            return counted(self.saved(), self.usage)
        self.largest = max(self.largest, size)
        self.asked.append(request)
        return counted(self.answer(), self.usage)

    def summary(self) -> Reply:
        return say(SUMMARY)

    def saved(self) -> Reply:
        return say("Nothing to save.")

    def answer(self) -> Reply:
        return say(f"Yes. {WORDS}")


@pytest.fixture
def agent_with(client: Letta, scripted: ScriptedModel, model_name: str) -> Any:
    """A function that makes an agent of a small window."""

    def make(mind: Any, **options: Any) -> Any:
        return client.agents.create(
            **{
                "model": scripted.script(model_name, mind),
                "system": "Be kind.",
                "include_base_tools": False,
                "context_window_limit": WINDOW,
                **options,
            }
        )

    return make


def fill(client: Letta, agent_id: str, count: int) -> None:
    for number in range(count):
        client.agents.messages.create(agent_id, input=f"{number}: {WORDS}")


def context_of(client: Letta, agent_id: str) -> list[str]:
    """The types of the messages in context, the system message left out."""
    ids = client.agents.retrieve(agent_id).message_ids
    return [client.messages.retrieve(id)[0].message_type for id in ids][1:]


def test_a_long_chat_never_overflows_and_stays_listed(client: Letta, agent_with: Any) -> None:
    mind = Mind()
    agent = agent_with(mind)
    for number in range(40):
        answer = client.agents.messages.create(agent.id, input=f"{number}: {WORDS}")
        assert [m.message_type for m in answer.messages] == ["assistant_message"]
        assert answer.stop_reason.stop_reason == "end_turn"
    assert mind.refused == 0
    assert 0.6 * WINDOW < mind.largest <= 0.9 * WINDOW
    assert summaries_in(mind.asked[-1])[0].endswith(SUMMARY)
    assert "earlier summary" in said_last(mind.summarised[-1])
    listed = list(client.agents.messages.list(agent.id, order="asc", limit=500))
    said = [m.content for m in listed if m.message_type == "user_message"]
    assert said == [f"{number}: {WORDS}" for number in range(40)]
    summaries = [m for m in listed if m.message_type == "summary_message"]
    assert 3 < len(summaries) < 15
    stats = summaries[-1].compaction_stats
    assert stats.trigger == "post_step_context_check"
    assert stats.context_tokens_after < 0.75 * WINDOW < stats.context_tokens_before
    assert stats.context_window == WINDOW
    assert stats.messages_count_after < stats.messages_count_before
    assert context_of(client, agent.id)[:2] == ["summary_message", "assistant_message"]
    found = client.messages.search(query="0 work", agent_id=agent.id, limit=50)
    assert any(item.content == f"0: {WORDS}" for item in found)


def test_a_turn_of_many_calls_is_compacted_between_its_steps(client: Letta, agent_with: Any) -> None:
    class Caller(Mind):
        def answer(self) -> Reply:
            made = len(self.asked)
            return call("conversation_search", query=f"{made} {WORDS}") if made < 30 else say("Done.")

    mind = Caller()
    agent = agent_with(mind, tools=["conversation_search"])
    answer = client.agents.messages.create(agent.id, input=f"Look it up. {WORDS}")
    assert answer.messages[-1].content == "Done."
    assert mind.refused == 0
    assert answer.usage.step_count == len(mind.asked) + len(mind.summarised) > 30
    (run,) = client.runs.list(agent_id=agent.id)
    steps = client.runs.steps.list(run.id, limit=100).items
    assert {step.status for step in steps} == {"success"}
    assert len(steps) == answer.usage.step_count
    assert sum(step.prompt_tokens or 0 for step in steps) == answer.usage.prompt_tokens


@pytest.mark.parametrize("mode", ["all", "self_compact_all", "self_compact_sliding_window"])
def test_every_mode_makes_room(client: Letta, agent_with: Any, mode: str) -> None:
    class Itself(Mind):
        def __call__(self, request: ModelRequest) -> Reply:
            if "take their place, for yourself" in said_last(request):
                self.summarised.append(request)
                return say(SUMMARY)
            return super().__call__(request)

    mind = Itself()
    agent = agent_with(mind, compaction_settings={"mode": mode}, tools=["conversation_search"])
    fill(client, agent.id, 12)
    assert mind.refused == 0
    assert mind.summarised
    told = mind.summarised[0]
    assert bool(told.tools) == mode.startswith("self")
    assert (told.system == mind.asked[0].system) == mode.startswith("self")
    after = next(request for request in mind.asked if summaries_in(request))
    assert summaries_in(after)[0].endswith(SUMMARY)
    if mode.endswith("all"):
        assert len(after.messages) == 2
    else:
        assert len(after.messages) > 2


def test_the_settings_say_who_writes_the_summary_and_how(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str
) -> None:
    writer = scripted.script(f"{model_name}-writer", say("S" * 400))
    settings = {
        "model": writer,
        "model_settings": {"provider_type": "openai", "temperature": 0.25},
        "prompt": "Write a poem.",
        "prompt_acknowledgement": True,
        "clip_chars": 100,
    }
    agent = agent_with(Mind(), compaction_settings=settings)
    fill(client, agent.id, 12)
    asked = scripted.requests[f"{model_name}-writer"][0]
    assert asked.system.startswith("Write a poem.")
    assert asked.temperature == 0.25
    assert [message.role for message in asked.messages] == ["user", "assistant", "user"]
    listed = client.agents.messages.list(agent.id, include_return_message_types=["summary_message"])
    assert {len(m.summary) for m in listed} == {100}


def test_an_unknown_summariser_is_replaced_by_the_agents_own_model(client: Letta, agent_with: Any) -> None:
    mind = Mind()
    agent = agent_with(mind, compaction_settings={"model": "nobody/knows"})
    fill(client, agent.id, 12)
    assert mind.summarised


@pytest.mark.parametrize("broken", ["error", "empty", "own"])
def test_a_summariser_that_fails_stops_nothing(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str, broken: str
) -> None:
    replies = {"error": fail(ModelUnavailable("out of order")), "empty": say(" ")}

    class Broken(Mind):
        def summary(self) -> Reply:
            return replies["error"] if broken == "own" else super().summary()

    mind = Broken()
    reply = replies.get(broken, replies["error"])
    writer = scripted.script(f"{model_name}-writer", reply)
    agent = agent_with(mind, compaction_settings={"model": writer})
    fill(client, agent.id, 12)
    assert mind.refused == 0
    listed = client.agents.messages.list(agent.id, include_return_message_types=["summary_message"])
    texts = [m.summary for m in listed]
    if broken == "own":
        assert all("No summary could be written" in text for text in texts)
        assert all("out of order" in text for text in texts)
        assert "0: All work" in texts[0]
        run = client.runs.list(agent_id=agent.id, order="desc", limit=1).items[0]
        assert run.status == "completed"
    else:
        assert set(texts) == {SUMMARY}


def test_a_text_too_large_for_the_summariser_is_summarised_in_parts(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str
) -> None:
    small = Mind(window=700)
    writer = scripted.script(f"{model_name}-writer", small)
    agent = agent_with(Mind(), compaction_settings={"model": writer, "mode": "all"})
    fill(client, agent.id, 12)
    assert small.refused > 0
    shown = [said_last(request) for request in small.summarised]
    assert any("This is part 1 of" in text for text in shown)
    assert any("summarised in parts" in text and SUMMARY in text for text in shown)
    texts = [m.summary for m in client.agents.messages.list(agent.id) if m.message_type == "summary_message"]
    assert set(texts) == {SUMMARY}


def test_an_overflow_that_nobody_foresaw_is_compacted_away(client: Letta, agent_with: Any) -> None:
    mind = Mind(window=700)  # the agent believes in a larger one
    agent = agent_with(mind, compaction_settings={"model": "nobody/knows"})
    fill(client, agent.id, 10)
    assert mind.refused > 0
    listed = list(client.agents.messages.list(agent.id, order="asc", limit=500))
    assert sum(m.message_type == "user_message" for m in listed) == 10
    triggers = {m.compaction_stats.trigger for m in listed if m.message_type == "summary_message"}
    assert "context_window_exceeded" in triggers


def test_what_cannot_be_made_smaller_is_refused_in_clear_words(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str
) -> None:
    reply = fail(ContextOverflow("Provider 'x' says no."))
    agent = agent_with(lambda _: reply)
    with pytest.raises(APIStatusError, match="does not fit the model's context window") as refused:
        client.agents.messages.create(agent.id, input="hello")
    assert refused.value.status_code == 400
    (run,) = client.runs.list(agent_id=agent.id)
    assert (run.status, run.stop_reason) == ("failed", "context_window_overflow_in_system_prompt")
    assert len(scripted.requests[model_name]) == 1


def test_a_system_prompt_that_does_not_fit_is_refused_before_any_call(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str
) -> None:
    block = {"label": "human", "value": WORDS * 30}
    agent = agent_with(Mind(), memory_blocks=[block])
    with pytest.raises(APIStatusError, match="system prompt") as refused:
        client.agents.messages.create(agent.id, input="hello")
    assert refused.value.status_code == 400
    assert refused.value.body["error"]["type"] == "context_window_overflow_in_system_prompt"
    assert scripted.requests[model_name] == []
    client.agents.blocks.update("human", agent_id=agent.id, value="Ann.")
    assert client.agents.messages.create(agent.id, input="hello").stop_reason.stop_reason == "end_turn"


@pytest.mark.parametrize("way", ["blocking", "stream", "tokens", "conversation"])
def test_who_asks_is_told_of_compactions(client: Letta, agent_with: Any, way: str) -> None:
    agent = agent_with(Mind())
    thread = client.conversations.create(agent_id=agent.id).id

    def sent(number: int, told: bool) -> list[Any]:
        options: dict[str, Any] = {"input": f"{number}: {WORDS}", "include_compaction_messages": told}
        if way == "conversation":
            return list(client.conversations.messages.create(thread, **options))
        if way == "blocking":
            return list(client.agents.messages.create(agent.id, **options).messages)
        stream = client.agents.messages.create(
            agent.id, **options, streaming=True, stream_tokens=way == "tokens"
        )
        return list(stream)

    silent = {frame.message_type for number in range(12) for frame in sent(number, False)}
    assert silent <= {"assistant_message", "stop_reason", "usage_statistics", "ping"}
    for number in range(12, 24):
        frames = [f for f in sent(number, True) if f.message_type != "ping"]
        if frames[0].message_type == "event_message":
            break
    event, summary = frames[:2]
    assert event.event_type == "compaction"
    assert set(event.event_data) == {"trigger", "context_token_estimate", "context_window"}
    assert event.event_data["context_window"] == WINDOW
    assert summary.message_type == "summary_message"
    assert summary.summary == SUMMARY
    assert summary.model_dump()["compaction_stats"]["trigger"] == event.event_data["trigger"]
    assert frames[2].message_type == "assistant_message"


def test_a_stream_that_is_read_again_tells_the_same_of_a_compaction(client: Letta, agent_with: Any) -> None:
    agent = agent_with(Saver(), include_base_tools=True, memory_blocks=[{"label": "human", "value": ""}])
    for number in range(30):
        frames = list(
            client.agents.messages.create(
                agent.id,
                input=f"{number}: {WORDS}",
                streaming=True,
                background=True,
                include_compaction_messages=True,
            )
        )
        if any(frame.message_type == "summary_message" for frame in frames):
            break
    first = [frame for frame in frames if frame.message_type != "ping"]
    assert [frame.message_type for frame in first][:4] == [
        "event_message",
        "tool_call_message",
        "tool_return_message",
        "summary_message",
    ]
    run_id = first[0].run_id
    again = [f for f in client.runs.messages.stream(run_id, starting_after=0) if f.message_type != "ping"]
    assert [frame.model_dump() for frame in again] == [frame.model_dump() for frame in first]


class Saver(Mind):
    """Saves a line to memory when it is told that words are about to leave."""

    def saved(self) -> Reply:
        return say("Let me note this.") + call("memory_insert", label="human", new_string="Jack is dull.")


def test_the_agent_may_save_to_memory_before_words_leave(client: Letta, agent_with: Any) -> None:
    mind = Saver()
    block = {"label": "human", "value": ""}
    agent = agent_with(mind, include_base_tools=True, memory_blocks=[block])
    for number in range(30):
        answer = client.agents.messages.create(agent.id, input=f"{number}: {WORDS}")
        assert [m.message_type for m in answer.messages] == ["assistant_message"]
        if mind.alerted:
            break
    (alerted,) = mind.alerted
    assert {tool.name for tool in alerted.tools} == {"memory_insert", "memory_replace"}
    assert text_of(alerted.messages[0].parts).startswith("0: ")
    assert "Jack is dull." in client.agents.blocks.retrieve("human", agent_id=agent.id).value
    assert "Jack is dull." in mind.asked[-1].system
    assert not any(calls_of(m.parts) or returns_of(m.parts) for m in mind.asked[-1].messages)
    assert answer.usage.step_count == 3
    run = client.runs.list(agent_id=agent.id, order="desc", limit=1).items[0]
    kinds = [m.message_type for m in client.runs.messages.list(run.id, order="asc")]
    assert kinds[:4] == ["user_message", "system_message", "tool_call_message", "tool_return_message"]


def test_the_chance_to_save_can_be_switched_off(client: Letta, agent_with: Any) -> None:
    mind = Saver()
    agent = agent_with(mind, include_base_tools=True, compaction_settings={"save_to_memory_first": False})
    fill(client, agent.id, 12)
    assert mind.summarised
    assert mind.alerted == []


@pytest.mark.parametrize("fault", ["error", "overflow", "other tool"])
def test_a_chance_to_save_that_goes_wrong_stops_nothing(client: Letta, agent_with: Any, fault: str) -> None:
    class Careless(Mind):
        def saved(self) -> Reply:
            match fault:
                case "error":
                    return fail(ModelUnavailable("out of order"))
                case "overflow":
                    return fail(ContextOverflow("too much"))
                case _:
                    return call("conversation_search", query="x")

    mind = Careless()
    agent = agent_with(mind, include_base_tools=True)
    fill(client, agent.id, 15)
    assert mind.alerted
    assert mind.summarised
    assert context_of(client, agent.id)[0] == "summary_message"


def test_a_cancelled_compaction_stops_at_once(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    writer = scripted.script(f"{model_name}-writer", gate.before(say("late")))
    agent = agent_with(Mind(), compaction_settings={"model": writer})
    answers: list[Any] = []

    def send() -> None:
        for number in range(12):
            answers.append(client.agents.messages.create(agent.id, input=f"{number}: {WORDS}"))
            if answers[-1].stop_reason.stop_reason == "cancelled":
                return

    sending = threading.Thread(target=send)
    sending.start()
    assert gate.reached.wait(10)
    client.agents.messages.cancel(agent.id)
    sending.join(10)
    gate.opened.set()
    assert answers[-1].stop_reason.stop_reason == "cancelled"
    assert "summary_message" not in context_of(client, agent.id)
    client.agents.update(agent.id, compaction_settings={"model": agent.model})
    assert client.agents.messages.create(agent.id, input="again").stop_reason.stop_reason == "end_turn"
    assert context_of(client, agent.id)[0] == "summary_message"


def test_three_long_chats_in_conversations_never_overflow(client: Letta, agent_with: Any) -> None:
    mind = Mind()
    agent = agent_with(mind)
    for _ in range(3):
        thread = client.conversations.create(agent_id=agent.id).id
        for number in range(100):
            frames = list(client.conversations.messages.create(thread, input=f"{number}: {WORDS}"))
            assert frames[-2].stop_reason == "end_turn"
        context = client.conversations.retrieve(thread).in_context_message_ids
        assert len(context) < 25
    assert mind.refused == 0


def test_the_prompt_tells_how_much_is_out_of_view(client: Letta, agent_with: Any) -> None:
    mind = Mind()
    agent = agent_with(mind)
    fill(client, agent.id, 12)
    assert "- 0 previous messages" in mind.asked[0].system
    assert "- 0 previous messages" not in mind.asked[-1].system


def test_what_it_took_to_make_room_counts_towards_no_limit_after_a_crash_either(
    client, live, agent_with, gate, pool
) -> None:
    class Worker(Mind):
        worked = 0

        def answer(self) -> Reply:
            if not self.summarised:
                return super().answer()
            edit = call("core_memory_append", label="human", content="x")
            self.worked += 1
            return [edit, gate.before(say("never")), edit, say("done")][self.worked - 1]

    mind = Worker()
    block = [{"label": "human", "value": ""}]
    agent = agent_with(mind, memory_blocks=block, tools=["core_memory_append"])
    fill(client, agent.id, 7)
    assert not mind.summarised
    text = WORDS * 5
    sent = pool.submit(client.agents.messages.create, agent.id, input=text, max_steps=3)
    assert gate.reached.wait(5), sent.result(5)
    run = client.runs.list(agent_id=agent.id).items[0]
    live.crash(run.id)
    live.take_over()
    until(lambda: client.runs.retrieve(run.id).completed_at)
    assert client.runs.retrieve(run.id).stop_reason == "end_turn"
    assert (len(mind.summarised), len(mind.alerted)) == (1, 1)
