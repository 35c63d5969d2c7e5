"""Compacting a history because somebody asks for it."""

import threading
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, ConflictError, Letta
from tests.chat.conftest import Gate
from tests.chat.test_compaction import SUMMARY, Mind, context_of, fill

from perdure.providers.base import ModelRequest, ModelUnavailable
from perdure.testing.scripted import Reply, ScriptedModel, call, fail, say


@pytest.fixture
def agent_with(client: Letta, scripted: ScriptedModel, model_name: str) -> Any:
    def make(mind: Any = None, **options: Any) -> Any:
        model = scripted.script(model_name, mind or Mind(100_000))
        return client.agents.create(model=model, system="Be kind.", **options)

    return make


def test_the_older_part_is_summarised_and_stays_stored(client: Letta, agent_with: Any) -> None:
    agent = agent_with()
    fill(client, agent.id, 6)
    done = client.agents.messages.compact(agent.id)
    assert (done.num_messages_before, done.num_messages_after) == (13, 9)
    assert done.summary == SUMMARY
    assert context_of(client, agent.id)[:2] == ["summary_message", "assistant_message"]
    listed = client.agents.messages.list(agent.id, limit=100).items
    assert sum(m.message_type == "user_message" for m in listed) == 6
    (summary,) = (m for m in listed if m.message_type == "summary_message")
    assert summary.compaction_stats.trigger == "requested"
    assert summary.compaction_stats.messages_count_after == 9
    answer = client.agents.messages.create(agent.id, input="And now?")
    assert answer.stop_reason.stop_reason == "end_turn"


def test_it_is_a_run_that_tells_what_it_cost(client: Letta, agent_with: Any) -> None:
    agent = agent_with()
    fill(client, agent.id, 3)
    client.agents.messages.compact(agent.id)
    run = client.runs.list(agent_id=agent.id, order="desc", limit=1).items[0]
    assert run.metadata["run_type"] == "compaction"
    assert (run.status, run.stop_reason) == ("completed", "end_turn")
    (step,) = client.runs.steps.list(run.id).items
    assert step.status == "success"
    assert client.runs.usage.retrieve(run.id).prompt_tokens == step.prompt_tokens > 0
    assert [m.message_type for m in client.runs.messages.list(run.id)] == ["summary_message"]


def test_the_requests_settings_go_before_the_agents(client: Letta, agent_with: Any) -> None:
    agent = agent_with(compaction_settings={"clip_chars": 5})
    fill(client, agent.id, 3)
    done = client.agents.messages.compact(agent.id, compaction_settings={"mode": "all"})
    assert (done.num_messages_before, done.num_messages_after) == (7, 2)
    assert done.summary == "Jack…"
    with pytest.raises(BadRequestError, match="nothing to compact"):
        client.agents.messages.compact(agent.id)
    assert client.agents.retrieve(agent.id).compaction_settings.mode == "sliding_window"


def test_where_nothing_was_said_the_summary_is_empty(client: Letta, agent_with: Any) -> None:
    agent = agent_with()
    done = client.agents.messages.compact(agent.id)
    assert (done.summary, done.num_messages_before, done.num_messages_after) == ("", 1, 1)
    assert client.runs.list(agent_id=agent.id).items == []
    thread = client.conversations.create(agent_id=agent.id).id
    assert client.conversations.messages.compact(thread).summary == ""


def test_one_message_cannot_become_fewer(client: Letta, agent_with: Any) -> None:
    agent = agent_with(lambda _: fail(ModelUnavailable("out of order")))
    with pytest.raises(Exception, match="out of order"):
        client.agents.messages.create(agent.id, input="hello")
    with pytest.raises(BadRequestError, match="nothing to compact"):
        client.agents.messages.compact(agent.id)
    assert len(client.runs.list(agent_id=agent.id).items) == 1


@pytest.mark.parametrize("name", ["conversation", "default", "agent"])
def test_conversations_are_compacted_alike(client: Letta, agent_with: Any, name: str) -> None:
    agent = agent_with()
    thread = client.conversations.create(agent_id=agent.id).id
    for number in range(3):
        list(client.conversations.messages.create(thread, input=f"{number}"))
        client.agents.messages.create(agent.id, input=f"{number}")
    path, options = {
        "conversation": (thread, {}),
        "default": ("default", {"agent_id": agent.id}),
        "agent": (agent.id, {}),
    }[name]
    options["compaction_settings"] = {"mode": "all"}
    done = client.conversations.messages.compact(path, **options)
    assert (done.num_messages_before, done.num_messages_after) == (7, 2)
    counts = (
        len(client.agents.retrieve(agent.id).message_ids),
        len(client.conversations.retrieve(thread).in_context_message_ids),
    )
    assert counts == ((7, 2) if name == "conversation" else (2, 7))


def test_a_fork_is_compacted_by_itself(client: Letta, http: httpx.Client, agent_with: Any) -> None:
    agent = agent_with()
    thread = client.conversations.create(agent_id=agent.id).id
    for number in range(3):
        list(client.conversations.messages.create(thread, input=f"{number}"))
    fork = http.post(f"/v1/conversations/{thread}/fork").json()["id"]
    before = client.conversations.retrieve(thread).in_context_message_ids
    shown = [message.id for message in client.conversations.messages.list(thread, order="asc")]
    client.conversations.messages.compact(fork, compaction_settings={"mode": "all"})
    assert len(client.conversations.retrieve(fork).in_context_message_ids) == 2
    assert client.conversations.retrieve(thread).in_context_message_ids == before
    assert [message.id for message in client.conversations.messages.list(thread, order="asc")] == shown
    said = [m.message_type for m in client.conversations.messages.list(fork, order="asc", limit=100)]
    assert said.count("user_message") == 3  # what left its view is still there
    assert said[-1] == "summary_message"
    assert [m.message_type for m in client.conversations.messages.create(fork, input="3")][-1] == (
        "usage_statistics"
    )


def test_default_needs_an_agent(http: httpx.Client) -> None:
    answer = http.post("/v1/conversations/default/compact", json={})
    assert answer.status_code == 400
    assert "agent_id" in answer.text


def test_a_summariser_that_fails_leaves_a_makeshift(client: Letta, agent_with: Any) -> None:
    class Broken(Mind):
        def summary(self) -> Reply:
            return fail(ModelUnavailable("out of order"))

    agent = agent_with(Broken(100_000))
    fill(client, agent.id, 3)
    done = client.agents.messages.compact(agent.id)
    assert "No summary could be written (out of order)" in done.summary
    assert "0: All work" in done.summary
    run = client.runs.list(agent_id=agent.id, order="desc", limit=1).items[0]
    (step,) = client.runs.steps.list(run.id).items
    assert (run.status, step.status, step.error_type) == ("completed", "failed", "summary_failed")


def test_a_busy_history_is_left_alone_and_a_compaction_keeps_others_out(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    writer = scripted.script(f"{model_name}-writer", gate.before(say("At last.")))
    agent = agent_with(compaction_settings={"model": writer})
    fill(client, agent.id, 3)
    done: list[Any] = []
    working = threading.Thread(target=lambda: done.append(client.agents.messages.compact(agent.id)))
    working.start()
    assert gate.reached.wait(10)
    for work in (
        lambda: client.agents.messages.create(agent.id, input="hi"),
        lambda: client.agents.messages.compact(agent.id),
        lambda: client.agents.messages.reset(agent.id),
    ):
        with pytest.raises(ConflictError, match="another request is currently being processed"):
            work()
    gate.opened.set()
    working.join(10)
    assert done[0].summary == "At last."
    assert client.agents.messages.create(agent.id, input="hi").stop_reason.stop_reason == "end_turn"


def test_it_can_be_cancelled(
    client: Letta, agent_with: Any, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    writer = scripted.script(f"{model_name}-writer", gate.before(say("late")))
    agent = agent_with(compaction_settings={"model": writer})
    fill(client, agent.id, 3)
    before = client.agents.retrieve(agent.id).message_ids
    failed: list[Exception] = []

    def work() -> None:
        try:
            client.agents.messages.compact(agent.id)
        except ConflictError as error:
            failed.append(error)

    working = threading.Thread(target=work)
    working.start()
    assert gate.reached.wait(10)
    assert list(client.agents.messages.cancel(agent.id).values()) == ["cancelled"]
    working.join(10)
    gate.opened.set()
    assert "cancelled" in str(failed[0])
    assert client.agents.retrieve(agent.id).message_ids == before
    assert client.agents.messages.create(agent.id, input="hi").stop_reason.stop_reason == "end_turn"


def test_calls_that_wait_for_approval_stay_in_context(client: Letta, agent_with: Any) -> None:
    class Asking(Mind):
        def answer(self) -> Reply:
            if len(self.asked) < 4:
                return super().answer()
            if len(self.asked) > 4:
                return say("Done.")
            return (
                say("I will.")
                + call("conversation_search", query="x")
                + call("memory_insert", label="human", new_string="x")
            )

    agent = agent_with(Asking(100_000), memory_blocks=[{"label": "human", "value": ""}])
    client.agents.tools.update_approval("memory_insert", agent_id=agent.id, body_requires_approval=True)
    fill(client, agent.id, 4)
    waiting = client.agents.retrieve(agent.id, include=["agent.pending_approval"]).pending_approval
    done = client.agents.messages.compact(agent.id, compaction_settings={"mode": "all"})
    assert done.num_messages_after == 4
    kinds = ["summary_message", "assistant_message", "approval_request_message"]
    assert context_of(client, agent.id) == kinds
    words = [{"type": "approval", "tool_call_id": waiting.tool_calls[0].tool_call_id, "approve": True}]
    answer = client.agents.messages.create(agent.id, messages=[{"type": "approval", "approvals": words}])
    assert answer.messages[-1].content == "Done."
    assert "x" in client.agents.blocks.retrieve("human", agent_id=agent.id).value


def test_a_block_changed_before_is_in_the_new_prompt(client: Letta, agent_with: Any) -> None:
    seen: list[ModelRequest] = []

    def mind(request: ModelRequest) -> Reply:
        seen.append(request)
        return say("ok")

    agent = agent_with(mind, memory_blocks=[{"label": "human", "value": "Ann."}])
    fill(client, agent.id, 3)
    client.agents.blocks.update("human", agent_id=agent.id, value="Bob.")
    client.agents.messages.compact(agent.id)
    (prompt,) = client.messages.retrieve(client.agents.retrieve(agent.id).message_ids[0])
    assert "Bob." in prompt.content
    assert "- 3 previous messages" in prompt.content
