"""`perdure doctor`: everything looked at, no secret shown, and what to do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


def test_a_fresh_machine_is_fine_and_told_how_to_go_on(perdure):
    said = perdure("doctor").stdout
    assert "✗" not in said
    assert "tables: none yet" in said
    assert "`perdure serve` starts it" in said
    perdure("db", "upgrade")
    assert "no provider yet, so the offline demo answers" in perdure("doctor").stdout


def test_secrets_are_not_shown(perdure):
    perdure.env |= {
        "PERDURE_DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/x",
        "PERDURE_API_KEY": "hidden",
        "OPENAI_API_KEY": "hidden",
    }
    said = perdure("doctor", fails=True).stdout
    assert "✗ database: postgresql://me:***@127.0.0.1:1/x does not answer" in said
    assert "hidden" not in said


def test_the_settings_in_force_are_shown_without_secrets(perdure):
    mine = {"name": "mine", "base_url": "http://127.0.0.1:9", "api_key": "hidden"}
    perdure.env |= {"PERDURE_LOG_LEVEL": "debug", "PERDURE_API_KEY": "hidden"}
    perdure.env["PERDURE_PROVIDERS"] = json.dumps([mine])
    said = perdure("doctor").stdout
    assert "• PERDURE_LOG_LEVEL=debug" in said
    assert "• PERDURE_API_KEY=(set)" in said
    assert "name: mine" in said
    assert "  PERDURE_PORT=8283" in said
    assert "hidden" not in said


def test_what_is_wrong_comes_with_its_fix(perdure):
    perdure("keys", "create", "ci")
    (perdure.home / "keys").chmod(0o644)
    perdure.env["PERDURE_PROT"] = "1"
    said = perdure("doctor", fails=True).stdout
    assert "run: chmod 600" in said
    assert "Did you mean PERDURE_PORT?" in said
    assert "access: with the keys of `perdure keys list`" in said


def test_an_open_server_for_everybody_is_bad(perdure):
    perdure.env["PERDURE_HOST"] = "0.0.0.0"
    assert "✗ access: Listening on 0.0.0.0 would let anyone" in perdure("doctor", fails=True).stdout


def test_a_setting_that_cannot_be_read_is_all_there_is_to_say(perdure):
    perdure.env["PERDURE_PORT"] = "many"
    assert "✗ settings: port (PERDURE_PORT)" in perdure("doctor", fails=True).stdout


class Provider(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"object": "list", "data": [{"id": "tiny", "object": "model"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    with HTTPServer(("127.0.0.1", 0), Provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_providers_are_asked(perdure, provider):
    perdure.home.mkdir()
    (perdure.home / "perdure.toml").write_text(
        f'[[providers]]\nname = "alive"\nbase_url = "{provider}"\n'
        '[[providers]]\nname = "dead"\nbase_url = "http://127.0.0.1:1/v1"\n'
    )
    perdure("db", "upgrade")
    said = perdure("doctor", fails=True).stdout
    assert "✓ provider alive: 1 model" in said
    assert "✗ provider dead: " in said
    assert "agents that name none use alive/tiny" in said


def test_the_sandbox_that_holds_here_is_told(perdure):
    perdure.env["PERDURE_SANDBOX"] = "landlock"
    assert "✓ sandbox: landlock, memory held by " in perdure("doctor").stdout
    perdure.env["PERDURE_SANDBOX"] = "off"
    assert "· sandbox: off" in perdure("doctor").stdout
    perdure.env["PERDURE_SANDBOX"] = "unsafe-local"
    assert "✗ sandbox: PERDURE_SANDBOX is unsafe-local: THE CODE" in perdure("doctor", fails=True).stdout
