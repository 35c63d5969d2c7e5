"""A server that takes callbacks: what came, and what it is to answer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 10


@dataclass(frozen=True)
class Received:
    """One call."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers 200, or the statuses it is told, in turn; `hold` keeps answers back until it is set."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    calls: list[Received] = field(default_factory=list)
    hold: threading.Event | None = None
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int = 1) -> list[Received]:
        """The calls, once there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.calls) >= count, PATIENCE), f"{len(self.calls)} came"
        return self.calls


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver(statuses=list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with receiver.came:
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.calls.append(Received({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.came.notify_all()
            if receiver.hold:
                receiver.hold.wait(PATIENCE)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
