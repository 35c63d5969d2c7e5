"""A server is told to stop while it works: what runs in the background goes on in its next life."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from letta_client import Letta
from tests.chat.test_resume import DONE, blocks, told
from tests.conftest import DIALECTS, new_database_url
from tests.journeys.server_process import ServerProcess


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url, remove = new_database_url(request.param, tmp_path)
    yield url
    remove()


def test_what_runs_in_the_background_goes_on_after_a_stop(database_url: str, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, database_url)
    with Letta(base_url=server.url, max_retries=0, timeout=20) as client:
        agent_id = client.agents.create(model="scripted/teller", memory_blocks=[]).id
        body = {"input": "26 0.3 once", "streaming": True, "stream_tokens": True, "background": True}
        path = f"{server.url}/v1/agents/{agent_id}/messages"
        with httpx.stream("POST", path, json=body, timeout=20) as answer:
            seen = list(itertools.islice(blocks(answer), 4))
        run_id, last = told(seen[0])["run_id"], told(seen[-1])["seq_id"]
        in_line = client.agents.messages.create_async(agent_id, input="2 0").id
    server.stop()
    again = ServerProcess(tmp_path, database_url)
    with Letta(base_url=again.url, max_retries=0, timeout=40) as client:
        path, wish = f"{again.url}/v1/runs/{run_id}/stream", {"starting_after": last}
        with httpx.stream("POST", path, json=wish, timeout=40) as answer:
            rest = list(blocks(answer))
        assert rest[-1] == DONE
        numbers = [told(line).get("seq_id") or 0 for line in rest[:-1]]
        numbers = [number for number in numbers if number]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > last
        assert numbers[-1] > 10_000  # told by another attempt
        for _ in range(200):
            if client.runs.retrieve(in_line).status == "completed":
                break
            time.sleep(0.05)
        kinds = [message.message_type for message in client.agents.messages.list(agent_id, order="asc")]
        assert kinds == ["system_message", *["user_message", "assistant_message"] * 2]
        assert client.runs.retrieve(run_id).status == "completed"
    again.kill()
