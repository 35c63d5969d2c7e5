"""Logins: told as they happen, finished at any replica, renewed in time, single-use."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.conftest import ADMIN_KEY, new_database_url
from tests.mcp.guarded import Issuer, login_wanted
from tests.mcp.remote import serving

from perdure.config import Settings
from perdure.mcp.tables import mcp_grants, mcp_logins
from perdure.providers.settings import CatalogSettings
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def vault(issuer: Issuer) -> Iterator[str]:
    with login_wanted(issuer) as url:
        yield url


class Watched:
    """The events of a connect stream, read in the background."""

    def __init__(self, http: httpx.Client, method: str, path: str, **options: Any):
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, args=(http, method, path, options), daemon=True)
        self._thread.start()

    def _read(self, http: httpx.Client, method: str, path: str, options: Any) -> None:
        with http.stream(method, path, **options) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.events.append(json.loads(line.removeprefix("data: ")))

    def named(self, name: str) -> dict[str, Any]:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for event in self.events:
                if event["event"] == name:
                    return event
            time.sleep(0.02)
        raise AssertionError(f"no {name} in {self.events}")

    def end(self) -> list[str]:
        self._thread.join(10)
        return [event["event"] for event in self.events]


def allow(url: str, instead: str | None = None) -> httpx.Response:
    """What a browser does: visit the page, follow the redirect (to another replica)."""
    answer = httpx.get(url)
    assert answer.status_code == 302, answer.text
    place = httpx.URL(answer.headers["location"])
    if instead:
        other = httpx.URL(instead)
        place = place.copy_with(host=other.host, port=other.port)
    return httpx.get(place)


ORDER = ["connection_attempt", "oauth_required", "authorization_url", "waiting_for_auth", "success"]


def test_a_login_is_allowed_and_its_tools_are_called(client, http, register, tools_of, vault, live):
    server = register(vault)
    assert "wants an authorization" in server.health["error"]
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    asked = watched.named("authorization_url")
    page = allow(asked["url"])
    assert page.status_code == 200
    assert "You can close this window" in page.text
    assert watched.end() == ORDER
    assert [tool["name"] for tool in watched.events[-1]["tools"]] == ["reveal"]
    tool = tools_of(server)["reveal"]
    assert client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id).func_return == "42"
    assert client.mcp_servers.retrieve(server.id).health["status"] == "ok"
    again = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    assert again.end() == ["connection_attempt", "success"]
    [sealed] = live.run(
        lambda conn: conn.execute(select(mcp_grants.c.grant).where(mcp_grants.c.url == vault)).all()
    )
    assert sealed[0].startswith("p1.")


def test_the_tokens_of_a_login_are_not_in_what_its_server_says(
    client, http, register, tools_of, vault, issuer
):
    server = register(vault)
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    allow(watched.named("authorization_url")["url"])
    assert watched.end() == ORDER
    issuer.secret = " ".join([*issuer.access, *issuer.refresh])
    done = client.mcp_servers.tools.run(tools_of(server)["reveal"].id, mcp_server_id=server.id)
    assert done.func_return == "[redacted access_token] [redacted refresh_token]"


def test_a_state_is_good_once(http, register, vault, live):
    server = register(vault)
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    place = httpx.get(watched.named("authorization_url")["url"]).headers["location"]
    assert httpx.get(place).status_code == 200
    second = httpx.get(place)
    assert second.status_code == 400
    assert watched.end()[-1] == "success"
    made_up = httpx.get(live.url + "/v1/tools/mcp/oauth/callback", params={"state": "x", "code": "y"})
    assert made_up.status_code == 400
    bare = httpx.get(live.url + "/v1/tools/mcp/oauth/callback")
    assert bare.status_code == 400
    assert live.run(lambda conn: conn.execute(select(mcp_logins.c.id)).all()) == []


def test_a_refusal_is_told(http, register, vault, issuer):
    issuer.allows = False
    server = register(vault)
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    page = allow(watched.named("authorization_url")["url"])
    assert "access_denied" in page.text
    assert watched.end()[-1] == "error"
    assert "access_denied" in watched.events[-1]["message"]


def test_tokens_are_renewed_in_time(client, http, register, tools_of, vault, issuer):
    issuer.seconds = 1  # shorter than the margin: renewed before every request
    server = register(vault)
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    allow(watched.named("authorization_url")["url"])
    assert watched.end()[-1] == "success", watched.events
    tool = tools_of(server)["reveal"]
    before = issuer.renewed
    done = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id)
    assert done.func_return == "42", done.stderr
    assert issuer.renewed > before


def test_a_token_that_was_revoked_is_renewed_after_the_refusal(
    client, http, register, tools_of, vault, issuer
):
    server = register(vault)
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    allow(watched.named("authorization_url")["url"])
    assert watched.end()[-1] == "success"
    issuer.access.clear()
    tool = tools_of(server)["reveal"]
    assert client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id).func_return == "42"
    assert issuer.renewed == 1
    issuer.access.clear()
    issuer.refresh.clear()
    ended = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id)
    assert ended.status == "error"
    assert "Allow access again" in ended.stderr[0]


def test_a_login_leads_to_no_private_address(http, register):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asks = b'Bearer resource_metadata="http://10.0.0.1/secret"'
        headers = [(b"www-authenticate", asks), (b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b"who?"})

    with serving(app) as url:
        server = register(url + "/mcp")
        watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
        assert watched.end() == ["connection_attempt", "oauth_required", "error"]
    assert "10.0.0.1 is not a public address" in watched.events[-1]["message"]


def test_a_wrong_token_of_ones_own_asks_for_no_login(http, register, vault):
    server = register(vault, auth_token="wrong")
    watched = Watched(http, "GET", f"/v1/mcp-servers/connect/{server.id}")
    assert watched.end() == ["connection_attempt", "error"]


def test_older_clients_log_in_before_they_add_the_server(http, client, vault):
    config = {"server_name": "vault", "type": "streamable_http", "server_url": vault}
    watched = Watched(http, "POST", "/v1/tools/mcp/servers/connect", json=config)
    allow(watched.named("authorization_url")["url"])
    assert watched.end() == ORDER
    [made] = http.put("/v1/tools/mcp/servers", json=config).json()
    assert made["server_name"] == "vault"
    [tool] = client.tools.list(tool_types=["external_mcp"]).items
    assert tool.name == "reveal"


def test_a_browser_may_return_to_another_replica(tmp_path, vault, issuer):
    url, remove = new_database_url("postgres", tmp_path)
    keys = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    made: list[tuple[Any, LiveServer]] = []
    for name in ("one", "two"):
        settings = Settings.model_validate(
            {
                "home": tmp_path / name,
                "api_key": ADMIN_KEY,
                "encryption_keys": keys,
                "database": {"url": url},
                "models": CatalogSettings(detect=False),
                "outbound": {"networks": ["127.0.0.0/8"]},
            }
        )
        running = serve(settings, ScriptedModel())
        made.append((running, next(running)))
    (_, one), (_, two) = made
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with httpx.Client(base_url=one.url, headers=headers, timeout=30) as first:
        body = {"server_name": "v", "config": {"mcp_server_type": "streamable_http", "server_url": vault}}
        server = first.post("/v1/mcp-servers/", json=body).json()
        watched = Watched(first, "GET", f"/v1/mcp-servers/connect/{server['id']}")
        assert allow(watched.named("authorization_url")["url"], instead=two.url).status_code == 200
        assert watched.end() == ORDER
    issuer.seconds = 3600
    issuer.access.clear()  # both find that their token is refused; one of them renews it
    with httpx.Client(base_url=two.url, headers=headers, timeout=30) as second:
        [tool] = second.get(f"/v1/mcp-servers/{server['id']}/tools").json()
        results: list[Any] = []

        def run(base: str) -> None:
            answer = httpx.post(
                f"{base}/v1/mcp-servers/{server['id']}/tools/{tool['id']}/run", headers=headers, timeout=30
            )
            results.append(answer.json()["func_return"])

        threads = [threading.Thread(target=run, args=(base,)) for base in (one.url, two.url) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == ["42"] * 4
    assert issuer.renewed == 1
    for running, _ in made:
        next(running, None)
    remove()
