"""Callbacks: who left an address is told how a run ended, at least once, and can check who calls."""

import base64
import contextlib
import hmac
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import until
from tests.chat.receiver import Received, Receiver, receiving
from tests.chat.test_cancel import stuck
from tests.chat.test_messages import new_agent
from tests.conftest import LiveServer, serve

from perdure.chat.callbacks import checked, pause_after
from perdure.config import Settings
from perdure.kit.errors import InvalidArgument
from perdure.providers.base import ModelError
from perdure.runs.tables import runs
from perdure.tenancy.signing import signing_secret
from perdure.testing.scripted import ScriptedModel, fail, say


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def asked(client: Letta, model: str, url: str) -> str:
    """A run that owes a callback."""
    agent = new_agent(client, model)
    return client.agents.messages.create_async(agent.id, input="hi", callback_url=url).id


def settled(client: Letta, run_id: str) -> Any:
    """The run, once what came of its callback is stored."""
    return until(lambda: (run := client.runs.retrieve(run_id)).callback_sent_at and run)


def organization_of(live: LiveServer, run_id: str) -> str:
    query = runs.select().where(runs.c.id == run_id)
    return live.run(lambda conn: conn.execute(query).one().organization_id)


def is_signed(call: Received, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    told = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    digest = base64.b64encode(hmac.digest(key, told, "sha256")).decode()
    return call.headers["webhook-signature"] == f"v1,{digest}"


def test_a_callback_tells_how_the_run_ended_and_what_was_said(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    run_id = asked(client, scripted.script(model_name, say("Hello.")), receiver.url)
    (call,) = receiver.wait()
    told = call.json
    assert (told["run_id"], told["status"]) == (run_id, "completed")
    assert told["completed_at"].endswith("Z")
    assert told["metadata"]["run_type"] == "send_message_async"
    result = told["metadata"]["result"]
    assert [message["message_type"] for message in result["messages"]] == [
        "user_message",
        "assistant_message",
    ]
    assert result["messages"][1]["content"] == "Hello."
    assert result["stop_reason"]["stop_reason"] == "end_turn"
    assert (result["usage"]["total_tokens"], result["usage"]["step_count"]) == (110, 1)
    run = settled(client, run_id)
    assert (run.callback_url, run.callback_status_code, run.callback_error) == (receiver.url, 200, None)


def test_a_callback_is_signed_for_its_organization(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    run_id = asked(client, scripted.script(model_name, say("Hello.")), receiver.url)
    (call,) = receiver.wait()
    ring, organization = live.app.state.keyring, organization_of(live, run_id)
    assert is_signed(call, live.run(signing_secret, ring, organization, write=True))
    assert call.headers["webhook-id"] == run_id
    assert call.headers["content-type"] == "application/json"


def test_a_failed_run_says_why(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    asked(client, scripted.script(model_name, fail(ModelError("It is ill."))), receiver.url)
    told = receiver.wait()[0].json
    assert told["status"] == "failed"
    assert "It is ill." in told["metadata"]["error"]["message"]
    assert told["metadata"]["result"]["stop_reason"]["stop_reason"] == "llm_api_error"


def test_what_is_not_taken_is_told_again_under_the_same_id(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302]
    run_id = asked(client, scripted.script(model_name, say("Hello.")), receiver.url)
    calls = receiver.wait(3)
    assert {call.headers["webhook-id"] for call in calls} == {run_id}
    assert len({call.body for call in calls}) == 1
    run = until(lambda: (run := client.runs.retrieve(run_id)).callback_status_code == 200 and run)
    assert run.callback_error is None


def test_it_is_told_a_handful_of_times_at_most(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    receiver.statuses = [503] * 10
    run_id = asked(client, scripted.script(model_name, say("Hello.")), receiver.url)
    receiver.wait(3)
    run = until(lambda: owes_no_more(live, run_id) and client.runs.retrieve(run_id))
    assert (run.callback_status_code, run.callback_error) == (503, "It answered HTTP 503.")
    assert len(receiver.calls) == 3


def test_whoever_is_gone_is_not_called_again(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    receiver.statuses = [410]
    run_id = asked(client, scripted.script(model_name, say("Hello.")), receiver.url)
    assert until(lambda: owes_no_more(live, run_id) and len(receiver.calls)) == 1
    assert settled(client, run_id).callback_status_code == 410


def owes_no_more(live: LiveServer, run_id: str) -> bool:
    query = runs.select().where(runs.c.id == run_id)
    return live.run(lambda conn: conn.execute(query).one()).callback_due is None


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://10.1.2.3/hook", "outbound.networks"), ("http://127.0.0.1:1/hook", "cannot be fetched")],
)
def test_what_cannot_be_called_is_noted(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, url: str, words: str
) -> None:
    run_id = asked(client, scripted.script(model_name, say("Hello.")), url)
    run = until(lambda: owes_no_more(live, run_id) and client.runs.retrieve(run_id))
    assert run.callback_status_code is None
    assert words in run.callback_error


def test_slow_receivers_do_not_keep_others_waiting(
    live: LiveServer, client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    handle = scripted.script(model_name, say("Hello."))
    with receiving() as slow:
        slow.hold = threading.Event()
        held = asked(client, handle, slow.url)
        slow.wait()
        quick = asked(client, handle, receiver.url)
        assert settled(client, quick).callback_status_code == 200
        assert client.runs.retrieve(held).callback_sent_at is None
        slow.hold.set()
        assert settled(client, held).callback_status_code == 200
        assert len(slow.calls) == 1


def test_a_run_that_is_cancelled_before_its_turn_owes_its_callback_too(
    client: Letta, scripted: ScriptedModel, model_name: str, receiver: Receiver
) -> None:
    agent = new_agent(client, scripted.script(model_name, stuck(say("late"))))
    first = client.agents.messages.create_async(agent.id, input="one", callback_url=receiver.url)
    second = client.agents.messages.create_async(agent.id, input="two", callback_url=receiver.url)
    client.agents.messages.cancel(agent.id, run_ids=[second.id, first.id])
    told = {call.json["run_id"]: call.json for call in receiver.wait(2)}
    assert {news["status"] for news in told.values()} == {"cancelled"}
    assert told[second.id]["metadata"]["result"]["messages"] == []
    assert set(told) == {first.id, second.id}


def test_what_a_server_still_owes_is_told_after_its_restart(tmp_path: Path, receiver: Receiver) -> None:
    receiver.statuses = [503]
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "models": {"detect": False},
            "outbound": {"networks": ["127.0.0.0/8"]},
            "runs": {"callback_pause_seconds": 1},
        }
    )
    server, model = contextlib.contextmanager(serve), ScriptedModel({"x": [say("Hello.")]})
    with server(settings, model) as before, Letta(base_url=before.url, max_retries=0) as client:
        run_id = asked(client, "scripted/x", receiver.url)
        receiver.wait()
        assert settled(client, run_id).callback_status_code == 503
    with server(settings, model) as after, Letta(base_url=after.url, max_retries=0) as client:
        assert [call.headers["webhook-id"] for call in receiver.wait(2)] == [run_id, run_id]
        assert until(lambda: client.runs.retrieve(run_id).callback_status_code == 200)


def test_a_callback_url_that_can_be_none_is_refused(client: Letta, http: httpx.Client) -> None:
    agent = client.agents.create(model="scripted/x")
    for url in ("nowhere", "ftp://example.com/x", "http://"):
        answer = http.post(f"/v1/agents/{agent.id}/messages/async", json={"input": "x", "callback_url": url})
        assert answer.status_code == 400
        assert "callback_url" in answer.json()["detail"]
    assert list(client.runs.list(agent_id=agent.id)) == []


def test_the_pauses_grow() -> None:
    assert [pause_after(tries, 5.0) for tries in (1, 2, 3)] == [5.0, 25.0, 125.0]


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://example.com/", "http://", "http://[::1", "http://a\x00b/"]
)
def test_what_can_be_no_address_is_refused_when_it_is_named(url: str) -> None:
    with pytest.raises(InvalidArgument, match="callback_url: "):
        checked(url)
    assert checked(None) is None
    assert checked("https://example.com/hook?a=b") == "https://example.com/hook?a=b"
