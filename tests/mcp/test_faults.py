"""Servers that misbehave: each costs one clear error, and never a turn."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from letta_client import InternalServerError
from tests.mcp.remote import handshaking, serving, toolbox

from perdure.testing.scripted import call, say


class Moody:
    """A real server of the SDK's, and what to do in its place to `tools/call`."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.mood: str = "well"
        self.asked = 0
        self.app = handshaking(
            toolbox(self.calls).streamable_http_app(stateless_http=True, json_response=True)
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or self.mood == "well":
            await self.app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        told = json.loads(body) if body else {}
        if told.get("method") != "tools/call" and not self.mood.startswith("all "):
            sent = False

            async def again() -> Any:
                nonlocal sent
                if sent:
                    return await receive()
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}

            await self.app(scope, again, send)
            return
        self.asked += 1
        await self._misbehave(self.mood.removeprefix("all "), told, send)

    async def _misbehave(self, mood: str, told: dict[str, Any], send: Any) -> None:  # noqa: C901
        async def answer(status: int, body: bytes, kind: str = "application/json", **more: str) -> None:
            headers = [(b"content-type", kind.encode())]
            headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        if mood == "hang":
            await asyncio.sleep(30)
        elif mood == "die":
            raise RuntimeError("died in the middle of a call")
        elif mood == "half":
            start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]}
            await send({**start, "headers": [*start["headers"], (b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": b'{"jsonrpc"'})
        elif mood == "garbage":
            await answer(200, b"<html>It works!</html>")
        elif mood == "page":
            await answer(200, b"<html>It works!</html>", "text/html")
        elif mood == "nonsense":
            result = {"jsonrpc": "2.0", "id": told.get("id"), "result": {"content": "not a list"}}
            await answer(200, json.dumps(result).encode())
        elif mood == "401":
            await answer(401, b"who are you?", "text/plain", www_authenticate="Bearer")
        elif mood == "500":
            await answer(500, b"oh dear", "text/plain")
        elif mood == "redirect":
            await answer(307, b"", location="http://169.254.169.254/latest/meta-data")
        elif mood == "huge":
            text = "x" * 3_000_000
            result = {"content": [{"type": "text", "text": text}]}
            await answer(200, json.dumps({"jsonrpc": "2.0", "id": told["id"], "result": result}).encode())
        elif mood == "many":
            result = {"content": [], "structuredContent": {"result": [[0] * 10_000] * 6}}
            await answer(200, json.dumps({"jsonrpc": "2.0", "id": told["id"], "result": result}).encode())
        elif mood == "flood":
            kind = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": kind})
            for _ in range(400):
                await send({"type": "http.response.body", "body": b" " * 100_000, "more_body": True})
            await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def moody() -> Iterator[Moody]:
    made = Moody()
    with serving(made) as url:
        made.url = url + "/mcp"  # type: ignore[attr-defined]
        yield made


@contextmanager
def impatient(live: Any, **changed: float) -> Iterator[None]:
    """The live server with other limits for a while."""
    settings = live.app.state.mcp_servers.settings
    before = {name: getattr(settings, name) for name in changed}
    for name, value in changed.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


FAULTS = {
    "die": "500",
    "half": "did not take the request",
    "garbage": "parse",
    "page": "content type",
    "nonsense": "cannot be read",
    "401": "wants an authorization",
    "500": "answered 500 Internal Server Error: oh dear",
    "redirect": "not followed",
    "flood": "larger than 4000000 bytes",
    "many": "too large an answer: it has more than 50000 values",
}


@pytest.mark.parametrize("mood", FAULTS)
def test_a_fault_in_a_call_is_one_clear_error(register, tools_of, client, scripted, model_name, moody, mood):
    tool = tools_of(register(moody.url))["echo"]
    model = scripted.script(model_name, call("echo", text="x"), call("echo", text="y"), say("done"))
    agent = client.agents.create(name="a", model=model, include_base_tools=False, tool_ids=[tool.id])
    moody.mood = mood
    answer = client.agents.messages.create(agent.id, input="go", max_steps=1)
    [first] = [one for one in answer.messages if one.message_type == "tool_return_message"]
    assert first.status == "error"
    assert FAULTS[mood] in first.tool_return, first.tool_return
    assert moody.asked == 1  # nobody knows whether it ran, so it is not made again
    moody.mood = "well"
    answer = client.agents.messages.create(agent.id, input="again")
    returned = [one for one in answer.messages if one.message_type == "tool_return_message"]
    assert returned[-1].tool_return == "y"
    assert answer.stop_reason.stop_reason == "end_turn"


def test_a_huge_answer_is_cut(register, tools_of, client, moody):
    server = register(moody.url)
    tool = tools_of(server)["echo"]
    moody.mood = "huge"
    done = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"text": "x"})
    assert "[the first 50000 of 3000000 characters]" in done.func_return


def test_a_server_that_hangs_is_given_up(register, tools_of, client, moody, live):
    server = register(moody.url)
    tool = tools_of(server)["echo"]
    moody.mood = "hang"
    with impatient(live, call_seconds=0.3):
        before = time.monotonic()
        done = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id, args={"text": "x"})
    assert time.monotonic() - before < 3
    assert "did not answer the call of echo within 0.3 s" in done.stderr[0]


def test_a_server_that_hangs_at_once_is_given_up(register, client, moody, live):
    moody.mood = "all hang"
    with impatient(live, connect_seconds=0.3):
        server = register(moody.url)
    assert server.health["status"] == "failing"
    assert "within 0.3 s" in server.health["error"]


@pytest.mark.parametrize("mood", ["garbage", "page", "500", "redirect", "flood", "401"])
def test_what_is_no_server_is_told_on_registering(register, client, moody, mood):
    moody.mood = f"all {mood}"
    server = register(moody.url)
    assert server.health["status"] == "failing"
    assert FAULTS[mood] in server.health["error"], server.health["error"]
    with pytest.raises(InternalServerError) as refused:
        client.mcp_servers.refresh(server.id)
    assert refused.value.status_code == 502
    assert FAULTS[mood] in str(refused.value)
