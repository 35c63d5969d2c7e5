"""`perdure serve`: up, asked, stopped; and each reason not to start, as one sentence."""

import contextlib
import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from perdure.cli.serve import CannotListen, address, listen


@pytest.fixture
def serve(perdure):
    """Starts `perdure serve` and waits for its first line; ends what still runs."""
    started = []
    perdure.env |= {"PERDURE_PORT": "0", "PERDURE_LOG_FORMAT": "json", "PYTHONWARNINGS": "error"}

    def start(**environment):
        command = [sys.executable, "-m", "perdure", "serve"]
        process = subprocess.Popen(command, env=perdure.env | environment, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stderr
        return process, process.stderr.readline()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


def url_of(line):
    return json.loads(line)["message"].rpartition(" ")[2]


def test_it_answers_is_open_to_this_machine_and_ends_when_told(serve, perdure):
    process, line = serve()
    url = url_of(line)
    assert httpx.get(f"{url}/v1/health").json()["status"] == "ok"
    made = httpx.post(f"{url}/v1/agents/", json={"name": "x", "model": "demo/offline"}, timeout=30)
    assert made.status_code == 200
    assert (perdure.home / "perdure.db").stat().st_mode & 0o077 == 0

    _, refusal = serve()
    assert "is in use by another Perdure process (server, process " in refusal
    assert perdure("doctor").stdout.count("✗") == 0

    key = perdure("keys", "create", "first").stdout.strip()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    _, line = serve()
    agents = f"{url_of(line)}/v1/agents/"
    assert httpx.get(agents).status_code == 401
    [agent] = httpx.get(agents, headers={"Authorization": f"Bearer {key}"}).json()
    assert agent["name"] == "x"


def test_a_database_that_is_not_there_is_named_without_its_password(serve):
    process, line = serve(PERDURE_DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/x")
    assert process.wait(20) == 1
    assert line.startswith("perdure: The database postgresql://me:***@127.0.0.1:1/x does not answer: ")


def test_others_are_not_let_in_without_a_key(perdure):
    refused = perdure("serve", "--host", "0.0.0.0", "--port", "0", fails=True)
    assert "Listening on 0.0.0.0 would let anyone" in refused.stderr


def test_a_taken_port_is_named():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(
            CannotListen, match=rf"Cannot listen on 127\.0\.0\.1:{port}: Address already in use"
        ):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named():
    with pytest.raises(CannotListen, match="choose another with --port"):
        listen("192.0.2.1", 0)


def test_names_and_version_6_addresses_are_listened_on():
    with listen("localhost", 0):
        pass
    with contextlib.suppress(CannotListen), listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6
        assert address(listener).startswith("http://[::1]:")
