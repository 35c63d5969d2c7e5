"""Broken histories: the model is told whole ones, and a repair stores them."""

import threading
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import Gate
from tests.chat.test_approvals import asked, guarded_agent, reply, yes
from tests.chat.test_messages import new_agent, send
from tests.conftest import LiveServer

from perdure.content.parts import Part, Role, Text, ToolCall, ToolReturn, returns_of
from perdure.loop.request import UNKNOWN_OUTCOME, as_told
from perdure.messages import store as messages
from perdure.messages.store import Draft, MessageRow
from perdure.testing.oracle import refusal
from perdure.testing.scripted import ScriptedModel, call, say

NOTHING = {"calls_answered": [], "returns_moved": [], "returns_removed": [], "calls_renamed": []}


def draft(role: Role, *parts: Part) -> Draft:
    return Draft(role, parts)


BROKEN = [
    draft("user", Text("one")),
    draft("assistant", Text("so"), ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}")),
    draft("user", Text("two")),
    draft("tool", ToolReturn("b", "look", "seen"), ToolReturn("x", "look", "what?")),
    draft("assistant", ToolCall("b", "look", "{}")),
    draft("tool", ToolReturn("b", "look", "seen again")),
]


def store(live: LiveServer, agent_id: str, drafts: list[Draft], thread_id: str = "") -> None:
    """Put messages at the end of a history, as an import might."""
    actor = live.actor_of(agent_id)

    def work(conn: Any) -> None:
        messages.append(conn, messages.get_thread(conn, actor, thread_id or agent_id), drafts)

    live.run(work, write=True)


def context(live: LiveServer, thread_id: str) -> list[MessageRow]:
    return live.run(messages.context, thread_id)[1:]


def repaired(http: httpx.Client, agent_id: str, **body: Any) -> Any:
    answer = http.post(f"/v1/agents/{agent_id}/messages/repair", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def fault(rows: list[MessageRow]) -> str | None:
    told = as_told(rows, timezone="UTC", return_limit=1000)
    return refusal([message for message in told if message.parts])


@pytest.fixture
def agent_id(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    return new_agent(client, scripted.script(model_name, say("Here I am."))).id


def test_a_repair_stores_what_is_missing_and_takes_out_what_is_wrong(
    live: LiveServer, client: Letta, http: httpx.Client, agent_id: str
) -> None:
    store(live, agent_id, BROKEN)
    stored = {message.id for message in client.agents.messages.list(agent_id)}
    assert fault(context(live, agent_id)) is not None
    assert repaired(http, agent_id) == {
        "calls_answered": ["a"],
        "returns_moved": ["b"],
        "returns_removed": ["x"],
        "calls_renamed": ["b"],
    }
    rows = context(live, agent_id)
    assert fault(rows) is None
    assert [row.role for row in rows] == ["user", "assistant", "tool", "user", "assistant", "tool"]
    texts = [part.text for row in rows for part in returns_of(row.parts)]
    assert texts == [UNKNOWN_OUTCOME, "seen", "seen again"]
    assert stored <= {message.id for message in client.agents.messages.list(agent_id)}
    assert repaired(http, agent_id) == NOTHING
    assert [row.id for row in context(live, agent_id)] == [row.id for row in rows]
    assert send(client, agent_id).messages[0].content == "Here I am."
    assert [run.stop_reason for run in client.runs.list(agent_id=agent_id)] == ["end_turn"]


def test_a_whole_history_stays_as_it_is(
    live: LiveServer, client: Letta, http: httpx.Client, agent_id: str
) -> None:
    send(client, agent_id)
    before = client.agents.retrieve(agent_id).message_ids
    assert repaired(http, agent_id) == NOTHING
    assert client.agents.retrieve(agent_id).message_ids == before


def test_a_conversation_is_repaired_by_its_id(
    live: LiveServer, client: Letta, http: httpx.Client, agent_id: str
) -> None:
    talk = client.conversations.create(agent_id=agent_id)
    store(live, agent_id, BROKEN, talk.id)
    assert repaired(http, agent_id) == NOTHING
    assert repaired(http, agent_id, conversation_id=talk.id)["calls_answered"] == ["a"]
    assert fault(context(live, talk.id)) is None
    other = client.agents.create(model="scripted/x")
    answer = http.post(f"/v1/agents/{other.id}/messages/repair", json={"conversation_id": talk.id})
    assert answer.status_code == 404


def test_calls_that_wait_for_approval_are_not_broken(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    script = scripted.script(model_name, call("memory_insert", label="human", new_string="Tea."), say("Ok."))
    agent_id = guarded_agent(client, script)
    request = asked(client, agent_id)
    assert repaired(http, agent_id) == NOTHING
    assert reply(client, agent_id, yes(request.tool_call.tool_call_id)).messages[-1].content == "Ok."


def test_a_history_that_a_run_works_on_is_left_alone(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    model = scripted.script(model_name, gate.before(say("done")))
    agent_id = new_agent(client, model).id
    sending = threading.Thread(target=lambda: send(client, agent_id))
    sending.start()
    assert gate.reached.wait(10)
    assert http.post(f"/v1/agents/{agent_id}/messages/repair").status_code == 409
    gate.opened.set()
    sending.join()
    assert repaired(http, agent_id) == NOTHING


def test_the_model_is_told_a_whole_history_without_a_repair_and_the_log_says_so(
    live: LiveServer,
    client: Letta,
    scripted: ScriptedModel,
    model_name: str,
    agent_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store(live, agent_id, BROKEN)
    assert send(client, agent_id).messages[0].content == "Here I am."
    assert refusal(scripted.requests[model_name][-1].messages) is None
    (told,) = warnings_in(caplog)
    assert (told["thread_id"], told["calls_answered"], told["returns_left_out"]) == (agent_id, 1, 1)


def test_the_log_says_nothing_of_whole_histories_and_of_repaired_ones(
    live: LiveServer, client: Letta, http: httpx.Client, agent_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    send(client, agent_id)
    store(live, agent_id, BROKEN)
    repaired(http, agent_id)
    send(client, agent_id)
    assert warnings_in(caplog) == []


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.levelname == "WARNING"]
