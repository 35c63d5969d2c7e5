"""`perdure demo` as a new user sees it, with no key; and that it leaves nothing behind."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perdure.testing.model_server import ModelServer

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PERDURE_MODELS_DETECT": "false", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(autouse=True)
def interruptible():
    """What shells start in the background ignores interrupts, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(tmp_path: Path, **options):
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "perdure", "demo"],
        env={**ENVIRONMENT, "HOME": str(tmp_path), "TMPDIR": str(temporary), **options},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Terminal(io.StringIO):
    """A person at a terminal who has typed ahead."""

    def isatty(self):
        return True


def test_the_demo_tells_the_whole_story_and_goes_on_talking(perdure, monkeypatch):
    home = perdure.home / "kept"
    perdure.env |= {"PERDURE_DEMO_HOME": str(home), "PATH": "/nowhere"}
    monkeypatch.setattr(sys, "stdin", Terminal("I like tea.\nWhat do I like?\n"))
    said = perdure("demo").stdout
    headings = re.findall(r"^\d  (\w+)", said, re.MULTILINE)
    assert headings == ["Start", "Look", "Create", "Tell", "Tell", "Kill", "Start", "Ask"]
    assert len(re.findall(r"^   took \d+\.\d\d s$", said, re.MULTILINE)) == len(headings)
    assert "demo/offline does: fixed rules in a model's place" in said
    assert "\n   - Lives in: Oslo\n   + Lives in: Lisbon\n" in said
    killed, restarted = said.split("is dead")
    assert "Nova › I am Perdure's" in killed
    assert "Nova › Your name is Ada, you live in Lisbon" in restarted
    assert "✓ Its memory blocks are what they were before the kill." in restarted
    assert "Nova › You like cloudberries and you like tea." in restarted
    assert f"PERDURE_HOME={home} perdure serve" in restarted
    assert "\x1b" not in said
    assert (home / "perdure.db").exists()
    assert not (perdure.home / "perdure.db").exists()
    for pid in re.findall(r"process (\d+)", said):
        assert not is_alive(int(pid))


def test_a_model_that_fails_ends_the_demo_with_its_words(perdure, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with ModelServer() as models:
        perdure.env |= {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": f"{models.url}/v1"}
        monkeypatch.setattr("perdure.cli.demo.TOLD", "fail:401")
        said = perdure("demo", fails=True).stderr
    assert "The model openai/" in said
    assert "PERDURE_MODELS_DEFAULT=demo/offline" in said


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_it_takes_its_server_along(tmp_path, ending):
    process = start(tmp_path)
    said = ""
    while "process " not in said:
        said += process.stdout.readline()
    server = int(re.search(r"process (\d+)", said)[1])
    assert is_alive(server)
    process.send_signal(ending)
    process.communicate(timeout=60)
    assert process.returncode == (130 if ending == signal.SIGINT else -signal.SIGKILL)
    until = time.monotonic() + 20
    while is_alive(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(server)
    if ending == signal.SIGINT:
        assert not list((tmp_path / "tmp").iterdir())


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not asked after yet does not."""
    try:
        os.kill(pid, 0)
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
