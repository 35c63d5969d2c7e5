"""Which sandbox a server takes, and what it says when there is none."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.sandbox.ordinary import as_ordinary_user

from perdure.sandbox.backends import missing
from perdure.sandbox.base import Job, SandboxUnavailable
from perdure.sandbox.chosen import ChosenSandbox, open_sandbox
from perdure.sandbox.settings import SandboxSettings

pytestmark = pytest.mark.skipif(bool(missing("landlock")), reason="no Landlock")


def chosen_without(*calls: str) -> str:
    """What an ordinary user's server chooses where these system calls are refused."""
    command, environment = as_ordinary_user(Path(__file__).with_name("restricted.py"), *calls)
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, cwd="/", check=True
    )
    return done.stdout


def test_bubblewrap_comes_first():
    assert chosen_without().startswith("bubblewrap 42\n")


def test_where_namespaces_are_refused_landlock_holds():
    said = chosen_without("unshare")
    assert said.startswith("landlock 42 bubblewrap: The sandbox could not be started: bwrap: ")
    assert "namespace" in said


def test_where_both_are_refused_no_code_is_run():
    said = chosen_without("unshare", "landlock_create_ruleset")
    assert said.startswith(
        "This server has no sandbox to run code in. bubblewrap: The sandbox could not be started:"
    )
    assert "landlock: the kernel has no Landlock" in said
    assert "docs/sandbox.md" in said


async def test_off_runs_nothing():
    opened = open_sandbox(SandboxSettings(mode="off"))
    with pytest.raises(SandboxUnavailable, match="PERDURE_SANDBOX is off"):
        await opened.run(Job("1", "org-1"))
    await opened.close()


async def test_unsafe_local_shouts(caplog: pytest.LogCaptureFixture):
    opened = open_sandbox(SandboxSettings(mode="unsafe-local"))
    assert "WITHOUT ANY PROTECTION" in caplog.text
    await opened.close()


async def test_a_closed_sandbox_refuses():
    opened = ChosenSandbox(SandboxSettings())
    await opened.close()
    with pytest.raises(SandboxUnavailable, match="closed"):
        await opened.run(Job("1", "org-1"))


async def test_calls_that_come_together_share_one_trial():
    opened = ChosenSandbox(SandboxSettings())
    found = await asyncio.gather(opened.choose(), opened.choose())
    assert found[0] is found[1]
    await opened.close()
