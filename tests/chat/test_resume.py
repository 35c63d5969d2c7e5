"""Streams of background runs are read again, or on: during the run, after it, by many, in pieces."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from letta_client import APIStatusError, BadRequestError, Letta, NotFoundError
from sqlalchemy import update
from tests.chat.conftest import Gate
from tests.chat.test_messages import kinds, new_agent

from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.providers.base import StreamCut
from perdure.runs import live as live_module
from perdure.runs.tables import run_frames, runs
from perdure.testing.scripted import ScriptedModel, call, fail, say, think, wait

FULL = {"input": "hi", "streaming": True, "stream_tokens": True, "background": True}
DONE = "data: [DONE]"


def blocks(answer: httpx.Response) -> Iterator[str]:
    """The frames of a stream as they are on the wire."""
    rest = ""
    for text in answer.iter_text():
        *whole, rest = (rest + text).split("\n\n")
        yield from whole


def first_read(http: httpx.Client, agent_id: str, **options: Any) -> list[str]:
    with http.stream("POST", f"/v1/agents/{agent_id}/messages", json={**FULL, **options}) as answer:
        return pings_left_out(list(blocks(answer)))


def read_again(http: httpx.Client, run_id: str, **wish: Any) -> list[str]:
    return pings_left_out(all_read_again(http, run_id, **wish))


def all_read_again(http: httpx.Client, run_id: str, **wish: Any) -> list[str]:
    with http.stream("POST", f"/v1/runs/{run_id}/stream", json=wish) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        return list(blocks(answer))


@contextmanager
def begun(http: httpx.Client, agent_id: str, **options: Any) -> Iterator[tuple[str, Iterator[str]]]:
    """A background run whose first reader has seen its first frame."""
    with http.stream("POST", f"/v1/agents/{agent_id}/messages", json={**FULL, **options}) as answer:
        lines = blocks(answer)
        yield told(next(lines))["run_id"], lines


def told(block: str) -> dict[str, Any]:
    return json.loads(block.split("data: ", 1)[1])


def pings_left_out(lines: list[str]) -> list[str]:
    """Without the signs of life, which have no number."""
    return [line for line in lines if '"ping"' not in line or '"seq_id":null' not in line]


def ended(client: Letta, run_id: str) -> Any:
    for _ in range(200):
        run = client.runs.retrieve(run_id)
        if run.status not in ("created", "running"):
            return run
        time.sleep(0.02)
    raise AssertionError("it did not end")


@pytest.fixture
def talker(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    """An agent that thinks, calls a tool and speaks."""
    edit = think("Tea") + call("memory_insert", label="human", new_string="Likes tea.")
    return new_agent(client, scripted.script(model_name, edit, say("Noted, with thanks."))).id


def test_a_run_that_ended_is_read_again_to_the_byte(http: httpx.Client, talker: str) -> None:
    lines = first_read(http, talker)
    run_id = told(lines[0])["run_id"]
    assert lines[-1] == DONE
    assert read_again(http, run_id) == lines
    numbers = [told(line)["seq_id"] for line in lines[:-1] if "seq_id" in told(line)]
    assert numbers == list(range(1, len(numbers) + 1))
    middle = len(numbers) // 2
    assert read_again(http, run_id, starting_after=middle) == lines[middle:]
    assert read_again(http, run_id, starting_after=10_000) == [DONE]
    nothing = {"include_pings": None, "poll_interval": None, "batch_size": None, "otid": None}
    assert read_again(http, run_id, **nothing) == lines
    with http.stream("POST", f"/v1/runs/{run_id}/stream") as answer:  # without a body
        assert pings_left_out(list(blocks(answer))) == lines


def test_the_official_client_reads_on_from_its_last_number(client: Letta, talker: str) -> None:
    stream = client.agents.messages.create(
        talker, input="hi", streaming=True, stream_tokens=True, background=True, include_pings=True
    )
    seen = [frame for frame, _ in zip(stream, range(4), strict=False)]
    stream.close()
    last = seen[-1]
    rest = list(client.runs.messages.stream(last.run_id, starting_after=last.seq_id, batch_size=2))
    frames = [frame for frame in (*seen, *rest) if frame.message_type != "ping" or frame.seq_id]
    assert kinds(frames[-2:]) == ["stop_reason", "usage_statistics"]
    assert [frame.seq_id for frame in frames[:-2]] == list(range(1, len(frames) - 1))
    said = [f.content for f in frames if f.message_type == "assistant_message"]
    assert "".join(said) == "Noted, with thanks."
    joined = "".join(f.tool_call.arguments or "" for f in frames if f.message_type == "tool_call_message")
    assert json.loads(joined) == {"label": "human", "new_string": "Likes tea."}


def test_a_run_is_followed_by_many_while_it_works(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    late = gate.before(say("and at last an end"))
    agent = new_agent(client, scripted.script(model_name, call("conversation_search", query="x"), late))
    with begun(http, agent.id) as (run_id, rest):
        cursors = [0, 1, 2, 3]
        heard: dict[int, list[str]] = {}
        readers = [
            threading.Thread(
                target=lambda after=after: heard.update(
                    {after: read_again(http, run_id, starting_after=after)}
                )
            )
            for after in cursors
        ]
        for reader in readers:
            reader.start()
        time.sleep(0.1)
        gate.opened.set()
        first = pings_left_out(list(rest))
        for reader in readers:
            reader.join(10)
    everything = read_again(http, run_id)
    assert everything[1:] == first
    for after in cursors:
        assert heard[after] == everything[after:]


def test_a_client_that_leaves_stops_nothing(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("still here"))))
    with begun(http, agent.id) as (run_id, _):
        pass
    gate.opened.set()
    assert ended(client, run_id).status == "completed"
    lines = read_again(http, run_id, include_pings=False)
    assert [told(line)["message_type"] for line in lines[:-1]] == [
        "assistant_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]


def test_silence_is_filled_with_pings_which_a_reader_may_refuse(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    slow = wait(lambda: asyncio.sleep(0.7), say("at last"))
    agent = new_agent(client, scripted.script(model_name, slow))
    with begun(http, agent.id) as (run_id, _):
        pass
    noisy, quiet = all_read_again(http, run_id), all_read_again(http, run_id, include_pings=False)
    assert sum('"ping"' in line for line in noisy) >= 3
    assert not any('"ping"' in line for line in quiet)
    assert pings_left_out(noisy)[1:] == quiet


def test_a_failed_run_ends_alike_for_all_readers(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    cut = fail(StreamCut("scripted: the connection closed in mid-answer"), after=say("Once upon a"))
    agent = new_agent(client, scripted.script(model_name, cut))
    lines = first_read(http, agent.id)
    run_id = told(lines[0])["run_id"]
    assert lines[-2].startswith("event: error\n")
    assert told(lines[-3]) == {"message_type": "stop_reason", "stop_reason": "llm_api_error"}
    assert read_again(http, run_id) == lines
    with pytest.raises(APIStatusError, match="mid-answer"):
        list(client.runs.messages.stream(run_id))
    assert ended(client, run_id).stop_reason == "llm_api_error"


def test_a_run_that_broke_in_its_own_way_ends_alike_for_all_readers(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    agent = new_agent(client, scripted.script(model_name, fail(KeyError("a bug"), after=say("Well"))))
    lines = first_read(http, agent.id)
    assert told(lines[-2])["error_type"] == "internal_error"
    assert read_again(http, told(lines[0])["run_id"]) == lines


def test_a_cancelled_run_ends_alike_for_all_readers(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("never"))))
    with begun(http, agent.id) as (run_id, rest):
        client.agents.messages.cancel(agent.id, run_ids=[run_id])
        lines = pings_left_out(list(rest))
    gate.opened.set()
    assert told(lines[0]) == {"message_type": "stop_reason", "stop_reason": "cancelled"}
    assert lines[-1] == DONE
    assert read_again(http, run_id)[1:] == lines


def test_what_is_behind_the_ring_is_read_from_the_database(
    client: Letta,
    http: httpx.Client,
    live: Any,
    scripted: ScriptedModel,
    model_name: str,
    monkeypatch: Any,
    gate: Gate,
) -> None:
    monkeypatch.setattr(live_module, "RING", 10)
    monkeypatch.setattr(live_module, "SLACK", 5)
    words = say(" ".join(f"w{n}" for n in range(300)))
    tool = call("conversation_search", query="x")
    agent = new_agent(
        client,
        scripted.script(model_name, words + tool, gate.before(words)),
    )
    with begun(http, agent.id) as (run_id, slow):
        for _ in range(200):
            at_work = live.app.state.runner.live[run_id]
            if at_work.dropped > 200:
                break
            time.sleep(0.02)
        assert at_work.dropped > 200
        gate.opened.set()
        lines = pings_left_out(list(slow))
    everything = read_again(http, run_id, batch_size=7)
    assert everything[1:] == lines
    assert len(everything) > 600


def test_any_way_to_read_in_pieces_reads_every_frame_once(http: httpx.Client, talker: str) -> None:
    lines = first_read(http, talker)
    run_id = told(lines[0])["run_id"]
    numbered = [line for line in lines[:-1] if told(line).get("seq_id")]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(1, 5), max_size=4), st.integers(1, 6))
    def read_in_pieces(pieces: list[int], batch: int) -> None:
        seen: list[str] = []
        cursor = 0
        for count in pieces:
            with http.stream(
                "POST",
                f"/v1/runs/{run_id}/stream",
                json={"starting_after": cursor, "batch_size": batch},
            ) as answer:
                some = [line for line, _ in zip(blocks(answer), range(count), strict=False)]
            some = [line for line in some if line in numbered]
            seen += some
            cursor = told(some[-1])["seq_id"] if some else cursor
        rest = read_again(http, run_id, starting_after=cursor, batch_size=batch)
        assert seen + rest == lines

    read_in_pieces()


def test_the_newest_background_run_of_a_conversation_is_found(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("here")), say("ok")))
    conversation = client.conversations.create(agent_id=agent.id)
    with pytest.raises(BadRequestError, match="no background run"):
        list(client.conversations.messages.stream(conversation.id))
    body = {**FULL, "input": None, "messages": [{"role": "user", "content": "hi", "otid": "one"}]}
    path = f"/v1/conversations/{conversation.id}"
    with http.stream("POST", f"{path}/messages", json=body) as answer:
        lines = blocks(answer)
        run_id = told(next(lines))["run_id"]
        with http.stream("POST", f"{path}/stream", json={"starting_after": 1}) as again:
            gate.opened.set()
            assert pings_left_out(list(blocks(again))) == pings_left_out(list(lines))
    ended(client, run_id)
    everything = read_again(http, run_id)
    for wish in ({"otid": "one"}, {"run_id": run_id}):
        with http.stream("POST", f"{path}/stream", json=wish) as again:
            assert list(blocks(again)) == everything
    with pytest.raises(NotFoundError, match="otid"):
        list(client.conversations.messages.stream(conversation.id, otid="two"))
    with pytest.raises(BadRequestError):
        list(client.conversations.messages.stream("default", agent_id=agent.id))


def test_a_run_that_cannot_be_read_again_says_why(
    client: Letta, http: httpx.Client, live: Any, talker: str
) -> None:
    client.agents.messages.create(talker, input="hi")
    [foreground] = client.runs.list(agent_id=talker)
    with pytest.raises(BadRequestError, match=r"foreground run.*background: true"):
        list(client.runs.messages.stream(foreground.id))
    with pytest.raises(NotFoundError):
        list(client.runs.messages.stream(new_id("run")))
    run_id = told(first_read(http, talker)[0])["run_id"]
    long_ago = update(runs).where(runs.c.id == run_id).values(completed_at=now() - timedelta(hours=25))
    live.run(lambda conn: conn.execute(long_ago), write=True)
    with pytest.raises(APIStatusError, match="not kept any longer") as gone:
        list(client.runs.messages.stream(run_id))
    assert gone.value.status_code == 410


def test_a_stream_whose_process_died_is_ended_by_what_its_run_says(
    http: httpx.Client, live: Any, talker: str
) -> None:
    lines = first_read(http, talker)
    run_id = told(lines[0])["run_id"]
    lost = run_frames.delete().where(run_frames.c.run_id == run_id, run_frames.c.seq > 5)
    live.run(lambda conn: conn.execute(lost), write=True)
    assert read_again(http, run_id) == [*lines[:5], *lines[-3:]]
    died = {"status": "failed", "stop_reason": "error", "error": {"message": "The server stopped."}}
    gone = update(runs).where(runs.c.id == run_id).values(**died)
    live.run(lambda conn: conn.execute(gone), write=True)
    again = read_again(http, run_id, starting_after=5)
    assert again[-2].startswith("event: error\n")
    assert told(again[-2])["message"] == "The server stopped."
    assert read_again(http, run_id, starting_after=told(again[-2])["seq_id"]) == [DONE]


def test_a_stream_of_a_run_that_is_deleted_meanwhile_says_so(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("never"))))
    with begun(http, agent.id) as (_, rest):
        client.agents.delete(agent.id)
        gate.opened.set()
        lines = pings_left_out(list(rest))
    assert "was deleted" in told(lines[-2])["message"]
    assert lines[-1] == DONE


def test_the_same_message_sent_twice_is_answered_with_the_same_stream(
    http: httpx.Client, talker: str
) -> None:
    message = {"role": "user", "content": "hi", "otid": "the-same"}
    body = {**FULL, "messages": [message]}
    del body["input"]
    both: list[list[str]] = []
    for _ in range(2):
        with http.stream("POST", f"/v1/agents/{talker}/messages", json=body) as answer:
            both.append(pings_left_out(list(blocks(answer))))
    assert both[0] == both[1]


def test_a_run_is_followed_while_it_waits_in_line(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(
        client, scripted.script(model_name, gate.before(say("first")), say("second"), say("third"))
    )
    with begun(http, agent.id), begun(http, agent.id, multitask_strategy="enqueue") as (waiting, lines):
        assert client.runs.retrieve(waiting).status == "created"
        with http.stream("POST", f"/v1/runs/{waiting}/stream", json={"starting_after": 1}) as again:
            gate.opened.set()
            assert pings_left_out(list(blocks(again))) == pings_left_out(list(lines))
    assert "second" in "".join(read_again(http, waiting))


def test_a_run_that_is_cancelled_in_line_ends_alike_for_all_readers(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("first"))))
    with begun(http, agent.id), begun(http, agent.id, multitask_strategy="enqueue") as (waiting, lines):
        client.agents.messages.cancel(agent.id, run_ids=[waiting])
        rest = pings_left_out(list(lines))
        gate.opened.set()
    assert told(rest[0]) == {"message_type": "stop_reason", "stop_reason": "cancelled"}
    assert read_again(http, waiting)[1:] == rest


def test_an_asynchronous_run_can_be_followed(client: Letta, http: httpx.Client, talker: str) -> None:
    run = client.agents.messages.create_async(talker, input="hi")
    lines = read_again(http, run.id)
    assert [told(line)["message_type"] for line in lines[-4:-1]] == [
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert read_again(http, run.id) == lines


def test_a_message_that_is_streamed_in_pieces_is_told_whole_to_who_sends_it_again_and_waits(
    client: Letta, http: httpx.Client, scripted: ScriptedModel, model_name: str, gate: Gate
) -> None:
    agent = new_agent(client, scripted.script(model_name, gate.before(say("one two three"))))
    message = {"role": "user", "content": "hi", "otid": "the-same"}
    path = f"/v1/agents/{agent.id}/messages"
    with http.stream("POST", path, json={**FULL, "input": None, "messages": [message]}) as answer:
        lines = blocks(answer)
        next(lines)
        threading.Timer(0.2, gate.opened.set).start()
        again = http.post(path, json={"messages": [message]})
        assert [m["content"] for m in again.json()["messages"]] == ["one two three"]
        list(lines)
