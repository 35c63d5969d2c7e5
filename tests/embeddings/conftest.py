"""A server of embeddings in a thread, whose faults a test chooses."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from perdure.providers.endpoint import Endpoint
from perdure.providers.entries import ResolvedEmbedding


@dataclass
class EmbeddingServer:
    """Answers as `faults` say, then well: a status, `slow`, `junk`, or a number of dimensions."""

    url: str = ""
    faults: deque[Any] = field(default_factory=deque)
    always: Any = None
    refused: set[str] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)

    def model(self, name: str = "words", dimensions: int | None = 8) -> ResolvedEmbedding:
        endpoint = Endpoint("mine", "openai", self.url + "/v1", "sk-test")
        return ResolvedEmbedding(f"mine/{name}", "mine", "openai", "base", name, endpoint, dimensions)


def vector(text: str, dimensions: int) -> list[float]:
    values = [0.0] * dimensions
    for word in text.lower().split():
        values[sum(word.encode()) % dimensions] += 3.0
    return values if any(values) else [1.0] * dimensions


@pytest.fixture
def embedding_server() -> Iterator[EmbeddingServer]:
    state = EmbeddingServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(200, {"data": [{"id": "words-embedding", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            texts = body["input"]
            state.asked.append(texts)
            fault = state.faults.popleft() if state.faults else state.always
            if state.refused & set(texts):
                fault = 400
            if fault == "slow":
                time.sleep(0.5)
            if isinstance(fault, int) and fault >= 300:
                headers = {"retry-after": "0"} if fault == 429 else {}
                self.reply(fault, {"error": {"message": "scripted"}}, headers)
                return
            size = fault if isinstance(fault, int) else 8
            data = [{"index": at, "embedding": vector(text, size)} for at, text in enumerate(texts)]
            self.reply(200, {"nothing": 1} if fault == "junk" else {"data": data[::-1]})

        def reply(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            for name, text in {**(headers or {}), "content-length": str(len(content))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
