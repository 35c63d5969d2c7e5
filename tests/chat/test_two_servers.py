"""Two servers on one database: what one begins the other knows of, and goes on with."""

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import Gate, until
from tests.chat.test_messages import send
from tests.chat.test_queue import enqueue, status_of
from tests.chat.test_resume import DONE, blocks

from perdure.testing.scripted import say


@pytest.mark.parametrize("crashed", [False, True])
def test_a_run_that_is_kept_is_followed_from_elsewhere_before_it_has_said_anything(pair, gate, pool, crashed):
    one, two = pair
    silent = Gate()
    client = Letta(base_url=one.url, max_retries=0)
    handle = one.scripted.script("x", gate.before(say("one")), silent.before(say("two")))
    agent = client.agents.create(model=handle, memory_blocks=[])
    pool.submit(send, client, agent.id, "a")
    assert gate.reached.wait(5)
    if crashed:
        run_id = client.runs.list(agent_id=agent.id).items[0].id
        one.crash(run_id)
        one.take_over()
    else:
        pool.submit(enqueue, client, agent.id, "b")
        waiting = until(lambda: client.runs.list(agent_id=agent.id, statuses=["created"]).items)
        run_id = waiting[0].id
        gate.opened.set()
    assert silent.reached.wait(5)
    with httpx.stream("POST", f"{two.url}/v1/runs/{run_id}/stream", timeout=20) as far:
        assert far.status_code == 200, far.read()
        silent.opened.set()
        frames = list(blocks(far))
    assert frames[-1] == DONE
    assert "two" in "".join(frames)
    assert set(status_of(client, agent.id)) == {"completed"}
