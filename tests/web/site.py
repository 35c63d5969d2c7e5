"""A site on loopback: answers what a test wrote, keeps what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}


@dataclass
class Site:
    """Answers by path, without its query."""

    url: str = ""
    pages: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def page(
        self, path: str, body: Any, status: int = 200, media_type: str = "text/html", **headers: str
    ) -> str:
        """Set what is at a path: bytes, text, or JSON; returns its URL."""
        if isinstance(body, dict | list):
            body, media_type = orjson.dumps(body), "application/json"
        content = body.encode() if isinstance(body, str) else body
        kept = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (status, content, {"content-type": media_type, **kept})
        return self.url + path


@contextmanager
def serving() -> Iterator[Site]:
    """A site on a free port."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.asked.append(Asked(self.command, self.path, headers, body))
            status, content, told = site.pages.get(urlsplit(self.path).path, (404, b"", {}))
            self.send_response(status)
            for name, value in told.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the server's word

        def log_message(self, *args: Any) -> None:
            """Nothing: tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
