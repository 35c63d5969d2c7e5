"""Images by URL: fetched when they are sent, kept with the message."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, Letta

from perdure.content.parts import Image, Text
from perdure.testing.scripted import ScriptedModel, say

PICTURES = {
    "/dot.png": ("application/octet-stream", b"\x89PNG\r\n\x1a\n the rest"),
    "/photo": ("text/plain", b"\xff\xd8\xff\xe0 the rest"),
    "/moving": ("image/png", b"GIF89a the rest"),
    "/modern": ("", b"RIFF\x00\x00\x00\x00WEBPVP8 the rest"),
    "/other": ("image/avif", b"something"),
    "/page": ("text/html", b"<p>no image</p>"),
    "/empty": ("image/png", b""),
}
TYPES = {
    "/dot.png": "image/png",
    "/photo": "image/jpeg",
    "/moving": "image/gif",
    "/modern": "image/webp",
    "/other": "image/avif",
}


class Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, content = PICTURES.get(self.path, ("text/plain", b""))
        self.send_response(200 if self.path in PICTURES else 404)
        if kind:
            self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def agent_id(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    return client.agents.create(model=scripted.script(model_name, say("I see."))).id


def content(*urls: str) -> Any:
    return [
        {"type": "text", "text": "Look."},
        *({"type": "image", "source": {"type": "url", "url": url}} for url in urls),
    ]


def test_what_is_at_a_url_is_sent_and_kept(
    client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str, site: str
) -> None:
    sent = content(*(site + path for path in TYPES))
    client.agents.messages.create(agent_id, messages=[{"role": "user", "content": sent}])
    told = scripted.requests[model_name][0].messages[-1].parts
    images = [Image(kind, base64.b64encode(PICTURES[path][1]).decode()) for path, kind in TYPES.items()]
    assert list(told) == [Text("Look."), *images]
    (kept,) = client.agents.messages.list(agent_id, include_return_message_types=["user_message"])
    assert {part.source.type for part in kept.content[1:]} <= {"base64", "letta"}
    assert [part.source.media_type for part in kept.content[1:]] == list(TYPES.values())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{site}/none", "answered HTTP 404"),
        ("{site}/page", r"no image at this address \(type text/html\)"),
        ("{site}/empty", "no image at this address"),
        ("http://169.254.169.254/latest/meta-data", "not a public address"),
        ("http://10.0.0.1/a.png", "not a public address"),
        ("http://127.0.0.1:1/a.png", "cannot be fetched"),
    ],
)
def test_an_image_that_cannot_be_had_is_refused_by_name(
    client: Letta, scripted: ScriptedModel, model_name: str, agent_id: str, site: str, url: str, words: str
) -> None:
    sent: Any = [
        {"role": "user", "content": "hi"},
        {"role": "user", "content": content(f"{site}/dot.png", url.format(site=site))},
    ]
    with pytest.raises(BadRequestError, match=rf"messages\[1\]\.content\[2\]\.source\.url: .*{words}"):
        client.agents.messages.create(agent_id, messages=sent)
    assert scripted.requests[model_name] == []
    assert client.runs.list(agent_id=agent_id).items == []


def test_openais_clients_send_urls_too(
    http: httpx.Client, scripted: ScriptedModel, model_name: str, agent_id: str, site: str
) -> None:
    image = {"type": "image_url", "image_url": {"url": f"{site}/dot.png"}}
    body = {"model": agent_id, "messages": [{"role": "user", "content": [image]}]}
    http.post("/v1/chat/completions", json=body).raise_for_status()
    assert scripted.requests[model_name][0].messages[-1].parts[0].media_type == "image/png"
    image["image_url"] = {"url": f"{site}/none"}
    refused = http.post("/v1/chat/completions", json=body)
    assert refused.status_code == 400
    assert "answered HTTP 404" in refused.json()["error"]["message"]
