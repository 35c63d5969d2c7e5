"""An agent's memory is looked after in the background, after so many turns, whatever happens meanwhile."""

import contextlib
import time
from typing import Any

import pytest
from letta_client import Letta
from tests.chat.conftest import until
from tests.conftest import DIALECTS, new_database_url, serve

from perdure.chat import sleeptime
from perdure.config import Settings
from perdure.content.parts import text_of
from perdure.providers.base import ModelRateLimited
from perdure.testing.scripted import ScriptedModel, call, fail, say

LEARNED = call("memory_replace", label="human", old_string="Ada", new_string="Ada likes tea.")
FINISHED = call("memory_finish_edits")
SHORTLY = 1.6  # longer than a helper is waited for at the most


class Pair:
    """An agent and its helper, each with a script of its own."""

    def __init__(self, client: Letta, scripted: ScriptedModel, name: str, *helps: Any, every: int = 2):
        self.client, self.scripted, self.name = client, scripted, name
        self.agent = client.agents.create(
            name="Ann",
            model=scripted.script(name, say("Fine.")),
            memory_blocks=[{"label": "human", "value": "Ada"}],
            enable_sleeptime=True,
        )
        self.group = self.agent.managed_group
        self.helper = self.group.agent_ids[0]
        client.agents.update(self.helper, model=scripted.script(f"{name}-helper", *helps))
        config = {"manager_config": {"manager_type": "sleeptime", "sleeptime_agent_frequency": every}}
        client.patch(f"/v1/groups/{self.group.id}", body=config, cast_to=object)

    def say(self, *words: str) -> None:
        for each in words:
            answer = self.client.agents.messages.create(self.agent.id, input=each)
            assert answer.stop_reason.stop_reason == "end_turn"

    def runs(self, count: int = 0) -> list[Any]:
        """The runs of the helper that have ended, newest first, once there are so many."""

        def ended() -> Any:
            found = self.client.runs.list(agent_id=self.helper).items
            done = [run for run in found if run.status not in ("created", "running")]
            return [done] if len(done) >= count else []

        return until(ended)[0]

    def shown(self) -> list[str]:
        """What the helper was shown, look by look."""
        requests = self.scripted.requests[f"{self.name}-helper"]
        texts = [text_of(request.messages[-1].parts) for request in requests]
        return [text for text in texts if "<transcript>" in text]

    def now(self) -> Any:
        return self.client.get(f"/v1/groups/{self.group.id}", cast_to=dict[str, Any])


@pytest.fixture
def make(client, scripted, model_name):
    def make(*helps: Any, every: int = 2) -> Pair:
        return Pair(client, scripted, model_name, *helps, every=every)

    return make


def test_after_so_many_turns_the_helper_tends_the_memory(make):
    pair = make(LEARNED, FINISHED)
    pair.say("I am Ada.")
    assert pair.now()["turns_counter"] == 0
    pair.say("I like tea.")
    [run] = pair.runs(1)
    assert (run.status, run.background) == ("completed", True)
    assert run.metadata["manager_agent_id"] == pair.agent.id
    assert pair.client.agents.blocks.retrieve("human", agent_id=pair.agent.id).value == "Ada likes tea."
    [text] = pair.shown()
    assert "user: I am Ada." in text
    assert "user: I like tea." in text
    assert "agent: Fine." in text
    history = f"/v1/blocks/{pair.agent.blocks[0].id}/history"
    last = pair.client.get(history, cast_to=list[dict[str, Any]])[0]
    assert (last["tool"], last["agent_id"], last["run_id"]) == ("memory_replace", pair.helper, run.id)
    pair.say("And you?")
    system = pair.scripted.requests[pair.name][-1].system
    assert "Ada likes tea." in system


def test_each_look_begins_where_the_last_one_ended(make):
    pair = make(FINISHED, every=1)
    pair.say("one")
    pair.runs(1)
    pair.say("two")
    pair.runs(2)
    first, second = pair.shown()
    assert "user: one" in first
    assert "user: one" not in second
    assert "user: two" in second
    assert len(pair.scripted.requests[f"{pair.name}-helper"][-1].messages) == 1


def test_what_the_helper_failed_to_see_it_is_shown_again(make):
    pair = make(fail(ModelRateLimited("no")), FINISHED, every=1)
    pair.say("one")
    [failed] = pair.runs(1)
    assert failed.status == "failed"
    pair.say("two")
    assert pair.runs(2)[0].status == "completed"
    text = pair.shown()[-1]
    assert "user: one" in text
    assert "user: two" in text


def test_a_slow_helper_holds_nobody_up_and_looks_once_at_a_time(make, gate):
    pair = make(gate.before(FINISHED), FINISHED, every=1)
    began = time.monotonic()
    pair.say("one")
    assert gate.reached.wait(5)
    pair.say("two", "three")
    assert time.monotonic() - began < 5
    time.sleep(SHORTLY)
    assert len(pair.client.runs.list(agent_id=pair.helper).items) == 1
    gate.opened.set()
    pair.runs(2)
    first, second = pair.shown()
    assert "two" not in first
    assert [f"user: {word}" in second for word in ("one", "two", "three")] == [False, True, True]


def test_what_is_said_while_the_helper_thinks_is_not_lost(make, gate):
    anew = call("memory_rethink", label="human", new_memory="Tidy.")
    both = call("memory_rethink", label="human", new_memory="Tidy, and Ada has moved.")
    pair = make(gate.before(anew), both, FINISHED, every=1)
    pair.say("one")
    assert gate.reached.wait(5)
    pair.client.agents.blocks.update("human", agent_id=pair.agent.id, value="Ada has moved.")
    gate.opened.set()
    pair.runs(1)
    [returned] = [
        message
        for message in pair.client.agents.messages.list(pair.helper).items
        if message.message_type == "tool_return_message" and message.status == "error"
    ]
    assert "was changed by somebody else" in returned.tool_return
    assert "Ada has moved." in returned.tool_return
    said = pair.client.agents.blocks.retrieve("human", agent_id=pair.agent.id).value
    assert said == "Tidy, and Ada has moved."


def test_a_helper_for_voice_keeps_lines_in_the_archive_of_its_agent(client, scripted, model_name):
    chunk = {"start_index": 2, "end_index": 2, "context": "Ada plans a trip."}  # behind the greeting
    agent = client.agents.create(
        agent_type="voice_convo_agent",
        model=scripted.script(model_name, call("send_message", message="Oh!")),
        memory_blocks=[{"label": "human", "value": "Ada"}],
        enable_sleeptime=True,
    )
    [helper] = agent.managed_group.agent_ids
    helps = scripted.script(
        f"{model_name}-helper",
        call("store_memories", chunks=[chunk], request_heartbeat=True),
        call("rethink_user_memory", new_memory="Ada travels.", request_heartbeat=True),
        call("finish_rethinking_memory"),
    )
    client.agents.update(helper, model=helps)
    config = {"manager_type": "voice_sleeptime", "sleeptime_agent_frequency": 1}
    client.patch(f"/v1/groups/{agent.managed_group.id}", body={"manager_config": config}, cast_to=object)
    client.agents.messages.create(agent.id, input="I go to Kyoto.")
    until(lambda: client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Ada travels.")
    kept = [passage.text for passage in client.agents.passages.list(agent.id)]
    assert len(kept) == 1
    assert kept[0].startswith("Ada plans a trip.\n")
    assert kept[0].endswith("user: I go to Kyoto.")


def test_a_conversation_counts_and_is_named(make):
    pair = make(FINISHED, every=1)
    talk = pair.client.conversations.create(agent_id=pair.agent.id)
    for _ in pair.client.conversations.messages.create(talk.id, input="aside"):
        pass
    pair.runs(1)
    assert f"UTC in {talk.id}] user: aside" in pair.shown()[0]


def test_turns_that_fail_do_not_count_and_none_is_woken_when_never_is_asked(make):
    pair = make(FINISHED, every=1)
    pair.scripted.scripts[pair.name] = [fail(ModelRateLimited("no"))]
    with contextlib.suppress(Exception):
        pair.client.agents.messages.create(pair.agent.id, input="x")
    config = {"manager_type": "sleeptime", "sleeptime_agent_frequency": None}
    pair.client.patch(f"/v1/groups/{pair.group.id}", body={"manager_config": config}, cast_to=object)
    pair.scripted.scripts[pair.name] = [say("Fine.")]
    pair.say("one", "two")
    time.sleep(SHORTLY)
    assert pair.runs() == []


def test_a_helper_that_waits_for_a_person_breaks_nothing(make):
    pair = make(LEARNED, every=1)
    tool = "memory_replace"
    pair.client.agents.tools.update_approval(tool, agent_id=pair.helper, body_requires_approval=True)
    pair.say("one")
    assert pair.runs(1)[0].stop_reason == "requires_approval"
    pair.say("two")
    time.sleep(SHORTLY)
    pair.say("three")
    assert len(pair.runs()) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_look_that_was_due_when_the_server_stopped_is_begun_by_the_next_one(dialect, tmp_path, monkeypatch):
    url, remove = new_database_url(dialect, tmp_path)
    settings = Settings.model_validate(
        {"home": tmp_path, "database": {"url": url}, "models": {"detect": False}}
    )
    server, model = contextlib.contextmanager(serve), ScriptedModel()
    with monkeypatch.context() as patch:
        patch.setattr(sleeptime, "LOOK_SECONDS", 1000.0)
        with server(settings, model) as one:
            pair = Pair(Letta(base_url=one.url, max_retries=0), model, "x", FINISHED, every=2)
            pair.say("one", "two")
    with server(settings, model) as two:
        pair.client = Letta(base_url=two.url, max_retries=0)
        [run] = pair.runs(1)
        assert run.status == "completed"
    assert len(pair.shown()) == 1
    remove()


def test_two_servers_begin_one_look(pair):
    one, two = pair
    made = Pair(Letta(base_url=one.url, max_retries=0), one.scripted, "x", FINISHED, every=3)
    other = Letta(base_url=two.url, max_retries=0)
    for turn in range(6):
        made.client = other if turn % 2 else Letta(base_url=one.url, max_retries=0)
        made.say(f"turn {turn}")
        if turn == 2:
            made.runs(1)
    made.runs(2)
    time.sleep(SHORTLY)
    assert len(made.runs()) == 2
    first, second = made.shown()
    assert [f"turn {n}" in first for n in range(6)] == [True, True, True, False, False, False]
    assert [f"turn {n}" in second for n in range(6)] == [False, False, False, True, True, True]
