"""The scripted server's ASGI application and the thread it runs in."""

import asyncio
import socket
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any, Self

import orjson
import uvicorn

from perdure.testing import oracle
from perdure.testing.model_server import anthropic, chat, gemini, lists, responses
from perdure.testing.model_server.script import HALF, Failure, Script, script_for

FORMATS: Mapping[str, ModuleType] = {
    path: module for module in (chat, responses, anthropic) for path in module.PATHS
}
ORACLES = {chat: oracle.chat, responses: oracle.responses, anthropic: oracle.anthropic, gemini: oracle.gemini}
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
KEPT = 1000


class Cut(Exception):
    """Makes the web server drop the connection."""


class Application:
    """The ASGI application: answers scripts and remembers what was asked."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.failed: Counter[bytes] = Counter()
        self.refused: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        content = await _read(receive)
        path, method = scope["path"], scope["method"]
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        if path == "/refused":
            await _send_json(send, 200, self.refused)
            return
        if path == "/requests":
            await self._report(method, send)
            return
        record: dict[str, Any] = {"path": path, "headers": headers, "disconnected": False}
        record |= {"query": scope["query_string"].decode(), "body": orjson.loads(content or b"{}")}
        self.requests.append(record)
        module = _format(path)
        if module:
            await self._answer(module, record, content, receive, send)
            return
        listed = self._list(path, headers, record["body"])
        body = listed or {"error": {"message": f"Nothing is served at {path}", "code": "not_found"}}
        await _send_json(send, 200 if listed else 404, body)

    def _list(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> dict[str, Any] | None:
        if path.endswith("/embeddings"):
            return lists.embeddings(body)
        return lists.show(body) if path == "/api/show" else lists.models(path, headers)

    async def _report(self, method: str, send: Send) -> None:
        if method == "DELETE":
            self.requests.clear()
            self.failed.clear()
        await _send_json(send, 200, list(self.requests))

    async def _answer(
        self, module: ModuleType, record: dict[str, Any], content: bytes, receive: Receive, send: Send
    ) -> None:
        body = record["body"]
        if fault := ORACLES[module].refusal(body):
            self.refused.append(fault)
            refused = module.failure(Failure(400))
            refused["error"]["message"] = record["refused"] = fault
            await _send_json(send, 400, refused)
            return
        script: Script = script_for(module.read_turn(body))
        if script.wait and await _gone(receive, script.wait):
            record["disconnected"] = True
            return
        fault = script.failure
        if fault and self._still(fault, content):
            extra = [(b"retry-after", fault.after.encode())] if fault.after else []
            await _send_json(send, fault.status, module.failure(fault), extra)
        elif body.get("stream") or ":stream" in record["path"]:
            frames = [_sse(name, data) for name, data in module.frames(script, body, len(content))]
            record["disconnected"] = await _stream(script, frames, receive, send)
        else:
            await _send_json(send, 200, module.answer(script, body, len(content)))

    def _still(self, fault: Failure, content: bytes) -> bool:
        self.failed[content] += 1
        return fault.times is None or self.failed[content] <= fault.times


async def _stream(script: Script, frames: list[bytes], receive: Receive, send: Send) -> bool:
    """Send the frames; returns whether the caller left before the end."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-request-id", b"req_scripted")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    end = len(frames) // 2 if script.cut == HALF else script.cut
    for number, frame in enumerate(frames):
        if number == end:
            await asyncio.sleep(0.01)  # let what was sent arrive before the connection breaks
            raise Cut
        if script.slow and await _gone(receive, script.slow):
            return True
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return False


def _format(path: str) -> ModuleType | None:
    if gemini.PATH.search(path):
        return gemini
    return FORMATS.get(path) or (chat if path.endswith("/chat/completions") else None)


def _sse(name: str | None, data: Any) -> bytes:
    text = data.encode() if isinstance(data, str) else orjson.dumps(data)
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + text + b"\n\n"


async def _gone(receive: Receive, seconds: float) -> bool:
    """Wait; True at once when the caller leaves meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            return (await receive())["type"] == "http.disconnect"
    except TimeoutError:
        return False


async def _read(receive: Receive) -> bytes:
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            return content


async def _send_json(
    send: Send, status: int, value: Any, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = orjson.dumps(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": status, "headers": headers + (extra or [])}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def configure(app: Application) -> uvicorn.Config:
    """How the scripted server is served: no logs, no lifespan, fastest loop."""
    return uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", log_level="critical")  # pyright: ignore[reportArgumentType]


class ModelServer:
    """The scripted server in a thread of its own, on a free loopback port."""

    def __init__(self, port: int = 0) -> None:
        self.app = Application()
        self._socket = socket.create_server(("127.0.0.1", port))
        self._server = uvicorn.Server(configure(self.app))
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        """Start; requests made before it listens wait in the socket's queue."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, dropping open connections."""
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()

    @property
    def url(self) -> str:
        """The root, without `/v1`."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What was asked: path, query, headers, body, and whether the caller left early."""
        return list(self.app.requests)

    def clear(self) -> None:
        """Forget what was asked."""
        self.app.requests.clear()
        self.app.failed.clear()
