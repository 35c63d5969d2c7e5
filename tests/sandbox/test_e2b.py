"""Machines of e2b, by its real client; its cloud is a stand-in that speaks the client's wire."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from perdure.sandbox.base import Job, Limits, Network, Requirements, SandboxUnavailable
from perdure.sandbox.chosen import open_sandbox
from perdure.sandbox.remote.away import Away
from perdure.sandbox.settings import E2bSettings, SandboxSettings
from perdure.sandbox.surroundings import Surroundings

pytest.importorskip("e2b")
from tests.sandbox.e2b_cloud import KEY, Cloud

from perdure.sandbox.remote import e2b


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    made = Cloud()
    server = uvicorn.Server(uvicorn.Config(made.app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.setenv("E2B_API_URL", url)
    monkeypatch.setenv("E2B_SANDBOX_URL", url)
    yield made
    server.should_exit = True
    thread.join(10)
    made.close()


@pytest.fixture
async def sandbox(cloud: Cloud) -> AsyncIterator[Away]:
    """Without our trial: the stand-in confines nothing, so it would be passed over."""
    made = Away(e2b.E2b(E2bSettings(template="ours"), KEY), 2)
    yield made
    await made.close()


async def test_a_function_is_called_on_a_machine_of_its_own(sandbox: Away, cloud: Cloud):
    source = "import os\ndef f(x):\n    print('out', flush=True)\n    return x, dict(os.environ)"
    job = Job(source, "org-1", "f", arguments={"x": "ü"}, env={"A": "b"}, limits=Limits(wall_seconds=20))
    done = await asyncio.gather(sandbox.run(job), sandbox.run(job), sandbox.run(job))
    assert [(one.value, one.stdout) for one in done] == [(["ü", {"A": "b"}], "out\n")] * 3
    assert [(one["templateID"], one["timeout"]) for one in cloud.asked] == [("ours", 140)] * 3
    assert not [one for one in cloud.asked if one["allow_internet_access"] is not False or "network" in one]
    await sandbox.close()
    assert sorted(cloud.ended) == ["machine1", "machine2", "machine3"]


async def test_files_errors_and_limits(sandbox: Away):
    code = "open('out', 'wb').write(open('in', 'rb').read() * 2)"
    done = await sandbox.run(Job(code, "org-1", files={"in": b"\xff"}, keep=("out",)))
    assert done.files == {"out": b"\xff\xff"}
    assert (await sandbox.run(Job("1 / 0", "org-1"))).error == "ZeroDivisionError: division by zero"
    late = await sandbox.run(Job("while True: pass", "org-1", limits=Limits(wall_seconds=0.5)))
    assert late.killed == "time"
    ended = await sandbox.run(Job("import os\nos.kill(os.getppid(), 9)", "org-1"))
    assert ended.killed == "crash"


async def test_packages_are_those_of_the_template(sandbox: Away):
    with pytest.raises(SandboxUnavailable, match="no-such is not in its image"):
        await sandbox.run(Job("1", "org-1", requirements=Requirements(("no-such",))))
    done = await sandbox.run(Job("import pydantic; 1", "org-1", requirements=Requirements(("pydantic",))))
    assert done.value == 1


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        (("*.example.com", "a.org"), {"allowOut": ["*.example.com", "a.org"], "denyOut": ["0.0.0.0/0"]}),
        (("*",), None),
    ],
)
async def test_a_granted_network_is_the_providers_business(
    sandbox: Away, cloud: Cloud, hosts: tuple[str, ...], told: Any
):
    assert (await sandbox.run(Job("1", "org-1", network=Network(hosts)))).value == 1
    assert cloud.asked[0]["allow_internet_access"] is True
    assert cloud.asked[0].get("network") == told
    with pytest.raises(SandboxUnavailable, match="no way back"):
        await sandbox.run(Job("1", "org-1", network=Network(server="http://here")))


async def test_a_key_that_is_refused_is_told_and_not_shown(cloud: Cloud):
    opened = Away(e2b.E2b(E2bSettings(), "e2b_" + "1" * 40), 1)
    with pytest.raises(SandboxUnavailable, match="No machine of e2b could be started") as told:
        await opened.run(Job("1", "org-1"))
    assert "1111" not in told.value.detail


async def test_a_cloud_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("E2B_API_URL", "http://127.0.0.1:9")
    opened = Away(e2b.E2b(E2bSettings(), KEY), 1)
    with pytest.raises(SandboxUnavailable, match="No machine of e2b could be started"):
        await opened.run(Job("1", "org-1"))


async def test_a_machine_without_python_is_told(sandbox: Away, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(e2b, "COMMAND", e2b.COMMAND.replace("python3", "no-such-python"))
    with pytest.raises(SandboxUnavailable, match=r"no Python for our guest: .*no-such-python"):
        await sandbox.run(Job("1", "org-1"))


async def test_what_does_not_hold_is_passed_over(cloud: Cloud):
    opened = open_sandbox(SandboxSettings(mode="e2b"), Surroundings(environment={"E2B_API_KEY": KEY}))
    with pytest.raises(SandboxUnavailable, match="e2b: The sandbox does not hold: a file of the server"):
        await opened.run(Job("1", "org-1"))
    await opened.close()
    assert cloud.ended == ["machine1"]


async def test_without_a_key_there_is_none():
    opened = open_sandbox(SandboxSettings(mode="e2b"))
    with pytest.raises(SandboxUnavailable, match="e2b: no key is set"):
        await opened.run(Job("1", "org-1"))
    await opened.close()


def test_no_setting_shows_the_key(tmp_path: Path):
    assert KEY not in repr(SandboxSettings(e2b=E2bSettings(api_key=KEY)))
