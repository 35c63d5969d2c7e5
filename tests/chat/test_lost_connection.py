"""A Postgres connection that is lost at any write of a turn: nothing is half written, the next works."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from letta_client import Letta
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only
from tests.chat.conftest import until
from tests.chat.test_messages import new_agent
from tests.chat.test_queue import let_leases_run_out
from tests.conftest import LiveServer

from perdure.db import prepared
from perdure.testing.scripted import ScriptedModel, call, say

WRITES = range(5)  # of a turn of two steps: run, input, answer, returns, end


class Cutter:
    """Ends the session of the n-th write about an agent, before it is sent or before its answer comes."""

    def __init__(self, live: LiveServer, agent_id: str, number: int, moment: str):
        self.live, self.agent_id, self.number, self.moment = live, agent_id, number, moment
        self.cut: list[str] = []
        self._seen = 0
        self._run = prepared.execute

    def execute(self, conn: Connection, words: str, parameters: Any = (), **options: Any) -> Any:
        ours = "INSERT INTO" in words and self.agent_id in parameters
        self._seen += ours
        if not ours or self.cut or self._seen != self.number + 1:
            return self._run(conn, words, parameters, **options)
        self.cut.append(words)
        if self.moment == "after":
            self._run(conn, words, parameters, **options)
        session: Any = conn.connection.driver_connection
        await_only(self.live.app.state.db.write(terminate, session.get_server_pid()))
        if self.moment == "after":
            return self._run(conn, "SELECT 1")
        return self._run(conn, words, parameters, **options)


def terminate(conn: Connection, pid: int) -> None:
    conn.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})


@contextlib.contextmanager
def cutting(cutter: Cutter) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "execute", cutter.execute)
        yield


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", WRITES)
def test_a_connection_lost_at_a_write_spoils_nothing(
    client: Letta,
    http: httpx.Client,
    live: LiveServer,
    scripted: ScriptedModel,
    model_name: str,
    number: int,
    moment: str,
) -> None:
    if live.app.state.db.dialect == "sqlite":
        pytest.skip("Postgres only")
    edit = call("memory_insert", label="human", new_string="Called Ann.")
    agent = new_agent(client, scripted.script(model_name, edit, say("done"), say("more"), say("more")))
    cutter = Cutter(live, agent.id, number, moment)
    with cutting(cutter):
        told = http.post(f"/v1/agents/{agent.id}/messages", json={"input": "hi"})
    assert cutter.cut
    if told.status_code != 200:
        assert moment == "after"
        assert told.status_code in (500, 503)
        assert told.json()["detail"]
    live.run(let_leases_run_out, agent.id, write=True)
    live.take_over()
    until(lambda: not client.runs.list(agent_id=agent.id, active=True).items)
    history = list(client.agents.messages.list(agent.id, order="asc", limit=100))
    said = Counter(m.content for m in history if m.message_type in ("user_message", "assistant_message"))
    if told.status_code == 200:
        assert said == {"hi": 1, "done": 1}
        assert told.json()["messages"][-1]["content"] == "done"
    assert max(said.values(), default=0) <= 1
    answer = client.agents.messages.create(agent.id, input="next")
    assert answer.stop_reason.stop_reason == "end_turn"
    kinds = Counter(m.message_type for m in client.agents.messages.list(agent.id, limit=100))
    assert kinds["tool_call_message"] == kinds["tool_return_message"] <= 1
    value = client.agents.blocks.retrieve("human", agent_id=agent.id).value
    assert value.count("Called Ann.") <= 1
