"""Containers as sandboxes: with the real command where an engine is named, and with a stand-in."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.conformance import IMAGE

from perdure.sandbox.base import Job, Limits, MiB, Network, Requirements, SandboxUnavailable
from perdure.sandbox.chosen import ChosenSandbox, FoundAway, open_sandbox
from perdure.sandbox.remote.configured import configured
from perdure.sandbox.remote.docker import arguments
from perdure.sandbox.settings import DockerSettings, SandboxSettings
from perdure.sandbox.surroundings import Surroundings

REAL = pytest.param(
    "real", marks=pytest.mark.skipif(IMAGE not in os.environ, reason=f"{IMAGE} names no image")
)


@pytest.fixture
def stand_in(tmp_path: Path) -> dict[str, str]:
    """An environment with a `docker` that runs what it is told right here, and notes what it was asked."""
    command = tmp_path / "docker"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("engine.py")} "$@"\n')
    command.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DOCKER_CONFIG": str(tmp_path / "asked")}


@pytest.fixture(params=["stand-in", REAL])
def engine(request: pytest.FixtureRequest, stand_in: dict[str, str]) -> Iterator[Any]:
    if request.param == "real":
        environment = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
        yield os.environ[IMAGE], environment
    else:
        yield "python:test", {**stand_in, "OPENAI_API_KEY": "sk-ours"}


@pytest.fixture
async def sandbox(engine: Any) -> AsyncIterator[ChosenSandbox]:
    image, environment = engine
    settings = SandboxSettings(mode="docker", docker=DockerSettings(image=image))
    opened = ChosenSandbox(settings, Surroundings(environment=environment))
    # The stand-in confines nothing, so there the trial must fail; it is tried below.
    [(_, _, make)] = configured(settings, environment)
    opened._found = FoundAway(make(), ())
    yield opened
    await opened.close()


async def test_a_function_is_called_with_its_arguments(sandbox: ChosenSandbox):
    source = "import sys\ndef f(x):\n    print('out')\n    print('err', file=sys.stderr)\n    return {'x': x}"
    for _ in range(2):
        done = await sandbox.run(Job(source, "org-1", "f", arguments={"x": [1, "ü", None]}))
        assert (done.value, done.stdout, done.stderr) == ({"x": [1, "ü", None]}, "out\n", "err\n"), done
    assert sandbox.name == "docker"


async def test_each_call_has_a_machine_of_its_own_and_nothing_of_the_servers(sandbox: ChosenSandbox):
    source = "import os\nopen('left', 'w').write('x')\nprint(dict(os.environ))\nos.listdir()"
    first = await sandbox.run(Job(source, "org-1", env={"A": "b"}))
    second = await sandbox.run(Job(source, "org-2"))
    assert (first.value, second.value) == (["left"], ["left"])
    assert eval(first.stdout) == {"A": "b"}


async def test_files_go_in_and_out(sandbox: ChosenSandbox):
    source = "open('b/out.bin', 'wb').write(open('b/in.bin', 'rb').read() * 2)\nprint('x' * 3000)"
    content = bytes(range(256))
    limits = Limits(output_bytes=1000)
    done = await sandbox.run(
        Job(source, "org-1", files={"b/in.bin": content}, keep=("b/out.*",), limits=limits)
    )
    assert done.files == {"b/out.bin": content * 2}
    assert (len(done.stdout), done.dropped) == (1000, 2001)


async def test_errors_and_limits_are_outcomes(sandbox: ChosenSandbox):
    failed = await sandbox.run(Job("1 / 0", "org-1"))
    assert failed.error == "ZeroDivisionError: division by zero"
    late = await sandbox.run(Job("while True: pass", "org-1", limits=Limits(wall_seconds=0.5)))
    assert (late.killed, late.error) == ("time", "It was stopped after 0.5 seconds.")
    large = await sandbox.run(Job("x = bytearray(1 << 29)", "org-1", limits=Limits(memory_bytes=128 * MiB)))
    assert large.error == "MemoryError"


async def test_what_ends_its_own_machine_is_an_outcome(sandbox: ChosenSandbox):
    done = await sandbox.run(Job("import os\nos.kill(os.getppid(), 9)", "org-1"))
    assert done.killed == "crash"
    assert (await sandbox.run(Job("6 * 7", "org-1"))).value == 42


LIES = ("x" * 3_000_000, '{"sizes": [1e9]}\\n', '{"sizes": [1, 2]}\\n', "[]\\n", "")


@pytest.mark.parametrize("said", LIES)
async def test_lies_about_the_answer_spoil_their_own_call_alone(sandbox: ChosenSandbox, said: str):
    """The line of the answer belongs to another process, which the same user may write in the place of."""
    source = f"""
import os
for pid in os.listdir("/proc"):
    try:
        names = os.listdir(f"/proc/{{pid}}/fd") if pid.isdigit() and pid != str(os.getpid()) else []
        guests = names and b"sys.stdin.buffer.readline" in open(f"/proc/{{pid}}/cmdline", "rb").read()
        for name in names if guests else ():
            if os.readlink(f"/proc/{{pid}}/fd/{{name}}").startswith("pipe:"):
                os.write(os.open(f"/proc/{{pid}}/fd/{{name}}", os.O_WRONLY | os.O_NONBLOCK), b"{said}")
    except OSError:
        pass
"""
    done = await asyncio.wait_for(
        sandbox.run(Job(source, "org-1", limits=Limits(wall_seconds=2.0, output_bytes=1000))), 10
    )
    assert len(done.stdout) <= 1000
    assert (await sandbox.run(Job("6 * 7", "org-1"))).value == 42


async def test_packages_are_those_of_the_image(sandbox: ChosenSandbox):
    with pytest.raises(SandboxUnavailable, match="no-such-words>=1 is not in its image: build an image"):
        await sandbox.run(Job("1", "org-1", requirements=Requirements(("No_Such.Words>=1",))))
    with pytest.raises(SandboxUnavailable, match="pydantic<1 is not in its image, which has "):
        await sandbox.run(Job("1", "org-1", requirements=Requirements(("pydantic<1",))))
    done = await sandbox.run(
        Job("import pydantic; pydantic.VERSION[0] > '0'", "org-1", requirements=Requirements(("pydantic",)))
    )
    assert done.value is True


async def test_javascript_runs_where_the_image_has_node(sandbox: ChosenSandbox):
    job = Job("function f(x) { console.log(x); return x * 2 }", "org-1", "f", language="javascript")
    done = await sandbox.run(Job(job.source, "org-1", "f", arguments={"x": 21}, language="javascript"))
    assert (done.value, done.stdout) == (42, "21\n")


@pytest.mark.parametrize("network", [Network(("example.com",)), Network(server="http://here")])
async def test_a_network_is_refused(sandbox: ChosenSandbox, network: Network):
    with pytest.raises(SandboxUnavailable, match="The sandbox docker"):
        await sandbox.run(Job("1", "org-1", network=network))


async def test_a_call_that_nobody_waits_for_ends(sandbox: ChosenSandbox, tmp_path: Path):
    marker = f"marker-{os.getpid()}"
    code = f"import os, sys\nos.execv(sys.executable, ['{marker}', '-c', 'import time; time.sleep(60)'])"
    call = asyncio.create_task(sandbox.run(Job(code, "org-1")))
    await _until(lambda: _running(marker))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await _until(lambda: not _running(marker))


def _running(marker: str) -> bool:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "cmdline").read_bytes().startswith(marker.encode()):
                    return True
            except OSError:
                continue
    return False


async def _until(happened: Any) -> None:
    deadline = time.monotonic() + 8
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_an_image_that_is_not_there_is_told(engine: Any):
    settings = SandboxSettings(mode="docker", docker=DockerSettings(image="no-such:image"))
    opened = open_sandbox(settings, Surroundings(environment=engine[1]))
    with pytest.raises(SandboxUnavailable, match=r"docker: No container of the image no-such:image .*image"):
        await opened.run(Job("1", "org-1"))
    await opened.close()


async def test_what_does_not_confine_is_passed_over(stand_in: dict[str, str]):
    settings = SandboxSettings(mode="docker", docker=DockerSettings(image="python:test"))
    opened = open_sandbox(settings, Surroundings(environment=stand_in))
    with pytest.raises(SandboxUnavailable, match="docker: The sandbox does not hold: a file of the server"):
        await opened.run(Job("1", "org-1"))
    await opened.close()


async def test_the_command_knows_nothing_of_the_server(engine: Any, sandbox: ChosenSandbox, tmp_path: Path):
    await sandbox.run(Job("1", "org-1"))
    if (tmp_path / "asked").exists():  # the stand-in was used
        assert "OPENAI_API_KEY" not in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    ("docker", "reason"),
    [
        (DockerSettings(), "no image is set"),
        (DockerSettings(image="x", command="no-such-docker"), "there is no command no-such-docker"),
    ],
)
async def test_what_is_missing_is_told(docker: DockerSettings, reason: str):
    opened = open_sandbox(SandboxSettings(mode="docker", docker=docker))
    with pytest.raises(SandboxUnavailable, match=reason):
        await opened.run(Job("1", "org-1"))
    await opened.close()


def test_a_container_may_do_nothing_but_compute():
    said = " ".join(arguments(DockerSettings(image="i", runtime="runsc"), Limits(), "n"))
    for words in (
        *("--network none", "--read-only", "--cap-drop ALL", "--security-opt no-new-privileges"),
        *("--user 65534:65534", "--pids-limit 32", "--ipc private", "--pull never", "--runtime runsc"),
    ):
        assert words in said
    assert "--volume" not in said
    assert "--mount" not in said
    assert "--env" not in said
