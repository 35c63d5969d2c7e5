"""A stream is followed from another server, and is whole again after its server was killed."""

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.chat.test_resume import DONE, blocks, pings_left_out, told
from tests.conftest import DIALECTS, new_database_url
from tests.journeys.server_process import TOLD, ServerProcess

WISH = {"streaming": True, "stream_tokens": True, "background": True}


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url, remove = new_database_url(request.param, tmp_path)
    yield url
    remove()


@pytest.fixture
def postgres_url(tmp_path: Path) -> Iterator[str]:
    url, remove = new_database_url("postgres", tmp_path)
    yield url
    remove()


def teller(server: ServerProcess) -> tuple[Letta, str]:
    client = Letta(base_url=server.url, max_retries=0, timeout=20)
    return client, client.agents.create(model="scripted/teller", memory_blocks=[]).id


def send(server: ServerProcess, agent_id: str, text: str) -> Any:
    body = {**WISH, "input": text}
    return httpx.stream("POST", f"{server.url}/v1/agents/{agent_id}/messages", json=body, timeout=20)


def read(server: ServerProcess, run_id: str, after: int = 0) -> list[str]:
    body = {"starting_after": after}
    with httpx.stream("POST", f"{server.url}/v1/runs/{run_id}/stream", json=body, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        return list(blocks(answer))


def timed(lines: Iterator[str], times: dict[str, float], shown: list[str]) -> None:
    for line in lines:
        times[line] = time.monotonic()
        shown.append(line)


def test_a_run_is_followed_from_another_server_while_it_works(postgres_url: str, tmp_path: Path) -> None:
    working, other = (ServerProcess(tmp_path / name, postgres_url) for name in ("a", "b"))
    _, agent_id = teller(working)
    with send(working, agent_id, "150 0.008") as answer:
        lines = blocks(answer)
        first = next(lines)
        run_id = told(first)["run_id"]
        here: dict[str, float] = {}
        there: dict[str, float] = {}
        shown: list[str] = [first]
        local = threading.Thread(target=timed, args=(lines, here, shown))
        local.start()
        path = f"{other.url}/v1/runs/{run_id}/stream"
        followed: list[str] = []
        with httpx.stream("POST", path, json={"poll_interval": 5}, timeout=20) as far:
            timed(blocks(far), there, followed)
        local.join(20)
    assert pings_left_out(followed) == pings_left_out(shown)
    assert read(other, run_id) == read(working, run_id) == pings_left_out(shown)
    late = [there[line] - here[line] for line in here if line in there]
    assert statistics.median(late) < 1  # told, not found by looking; the figure is the bench's
    if "PERDURE_FIGURES" in os.environ:
        middle, long = statistics.median(late), sorted(late)[int(len(late) * 0.95)]
        print(f"\nfrom one server to the other: p50 {middle * 1e3:.1f} ms, p95 {long * 1e3:.1f} ms")
    for server in (working, other):
        server.kill()


def test_a_stream_of_a_killed_server_is_read_on(database_url: str, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, database_url)
    _, agent_id = teller(server)
    seen = read_until_killed(server, agent_id, 40)
    run_id, cursor = told(seen[0])["run_id"], told(seen[-1])["seq_id"]
    server = ServerProcess(tmp_path, database_url)
    rest = pings_left_out(read(server, run_id, cursor))
    client = Letta(base_url=server.url, max_retries=0, timeout=20)
    run = client.runs.retrieve(run_id)
    everything = read(server, run_id)
    server.kill()
    _check_order(everything)
    kept = [line for line in seen if line in everything]
    assert kept == seen[: len(kept)]  # what is missing was shown, but not stored before the kill
    assert len(kept) > 20
    assert everything[-len(rest) :] == rest
    assert rest[-1] == DONE
    assert told(rest[-3]) == {"message_type": "stop_reason", "stop_reason": run.stop_reason}
    assert run.status == "completed"
    last_id = told(rest[-4])["id"]
    text = "".join(told(line)["content"] for line in rest[:-3] if told(line)["id"] == last_id)
    assert text == " ".join(f"w{n}" for n in range(80))


def read_until_killed(server: ServerProcess, agent_id: str, count: int) -> list[str]:
    """Read a stream whose server is killed after so many frames."""
    seen: list[str] = []
    with contextlib.suppress(httpx.TransportError), send(server, agent_id, "80 0.01") as answer:
        for line in blocks(answer):
            seen.append(line)
            if len(seen) == count:
                server.process.kill()
    assert server.ended() == -9
    return seen


def _check_order(lines: list[str]) -> None:
    numbers = [told(line)["seq_id"] for line in lines[:-1] if told(line).get("seq_id")]
    assert numbers == sorted(set(numbers))


def test_killed_at_a_save_point_the_stream_tells_every_stored_message_once(
    database_url: str, tmp_path: Path
) -> None:
    begun: list[str] = []
    for point in ("1.after", "3.before", "3.after", "4.after"):
        server = ServerProcess(tmp_path, database_url, point)
        client = Letta(base_url=server.url, max_retries=0, timeout=20)
        agent_id = client.agents.create(
            model="scripted/mind", memory_blocks=[{"label": "human", "value": ""}]
        ).id
        with contextlib.suppress(httpx.TransportError), send(server, agent_id, TOLD) as answer:
            for line in blocks(answer):
                begun += [told(line)["run_id"]] if '"ping"' in line else []
        assert server.ended() == -9, f"alive after {point}"
    server = ServerProcess(tmp_path, database_url)
    client = Letta(base_url=server.url, max_retries=0, timeout=20)
    assert len(begun) == 4
    for run_id in begun:
        _check_whole(read(server, run_id), client, run_id)
    server.kill()


def _check_whole(lines: list[str], client: Letta, run_id: str) -> None:
    """Nothing stored is missing in a stream, calls come together from their pieces, it ends as its run."""
    _check_order(lines)
    frames = [told(line) for line in lines[:-1]]
    assert [frame["message_type"] for frame in frames[-2:]] == ["stop_reason", "usage_statistics"]
    assert client.runs.retrieve(run_id).stop_reason == frames[-2]["stop_reason"]
    stored = [m for m in client.runs.messages.list(run_id) if m.message_type != "user_message"]
    for message in stored:
        kind = message.message_type
        pieces = [f for f in frames if f.get("id") == message.id and f["message_type"] == kind]
        assert pieces, f"{kind} is not told"
        match kind:
            case "assistant_message":
                assert "".join(piece["content"] for piece in pieces) == message.content
            case "tool_call_message":
                joined = "".join(piece["tool_call"].get("arguments", "") for piece in pieces)
                assert joined == message.tool_call.arguments
            case "tool_return_message":
                assert [piece["tool_return"] for piece in pieces] == [message.tool_return]
