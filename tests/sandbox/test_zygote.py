"""Calls, whichever backend runs them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.kit.errors import InvalidArgument
from perdure.sandbox.base import Job, Limits, Outcome
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.zygote import Zygote


@pytest.fixture(scope="module", params=["bubblewrap", "landlock", "unsafe-local"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[ChosenSandbox]:
    opened = ChosenSandbox(SandboxSettings(mode=request.param))
    yield opened
    await opened.close()


@pytest.fixture
async def zygote(sandbox: ChosenSandbox) -> Zygote:
    found: Any = await sandbox.choose()
    return found.zygote


async def call(sandbox: ChosenSandbox, source: str, function: str | None = "f", **rest: Any) -> Outcome:
    return await sandbox.run(Job(source, "org-1", function, **rest))


async def test_a_function_gets_its_arguments_and_its_value_comes_back(sandbox: ChosenSandbox):
    found = await call(
        sandbox, "def f(a, b=2):\n    print('said')\n    return [a, b]", arguments={"a": {"x": None}}
    )
    assert (found.status, found.value, found.stdout) == ("success", [{"x": None}, 2], "said\n")
    assert 0 < found.seconds < 10


async def test_an_async_function_is_awaited(sandbox: ChosenSandbox):
    source = "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 'awaited'"
    assert (await call(sandbox, source)).value == "awaited"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x = 2\nx + 1", 3),
        ("x = 2", None),
        ("", None),
        ("import asyncio\nawait asyncio.sleep(0, 'top')", "top"),
    ],
)
async def test_a_script_has_the_value_of_its_last_expression(
    sandbox: ChosenSandbox, source: str, value: object
):
    found = await call(sandbox, source, None)
    assert (found.error, found.value) == (None, value)


async def test_a_prelude_runs_first_in_the_same_module_and_shifts_no_lines(sandbox: ChosenSandbox):
    prelude = "import math\n\n\ndef g(x): return f(x)"
    found = await call(
        sandbox, "def f(x):\n    return math.floor(x)", "g", prelude=prelude, arguments={"x": "a"}
    )
    assert found.stderr.startswith('Traceback (most recent call last):\n  File "<g>", line 2, in f\n'), found


async def test_models_and_dates_come_back_as_json(sandbox: ChosenSandbox):
    source = """
import dataclasses, datetime, decimal, enum
from pydantic import BaseModel
class Colour(enum.Enum):
    RED = 'red'
class Model(BaseModel):
    when: datetime.date
@dataclasses.dataclass
class Point:
    x: float
    tags: set
def f():
    return [Model(when='2026-01-02'), Point(float('nan'), {2, 1}), Colour.RED, b'abc', b'\\xff', 2**70,
            decimal.Decimal('1.5'), {1: (2,), None: True}, '\\ud800', range(2), object]
"""
    found = await call(sandbox, source)
    assert found.value == [
        {"when": "2026-01-02"},
        {"x": "nan", "tags": [1, 2]},
        "red",
        "abc",
        "/w==",
        str(2**70),
        "1.5",
        {"1": [2], "null": True},
        "?",
        [0, 1],
        "<class 'object'>",
    ], found


async def test_an_error_is_a_line_and_a_traceback_of_the_codes_own_frames(sandbox: ChosenSandbox):
    source = "import json\ndef f(city):\n    json.loads(city)"
    found = await call(sandbox, source, arguments={"city": "{"})
    assert found.status == "error"
    assert found.error
    assert found.error.startswith("JSONDecodeError: Expecting property name")
    assert found.stderr.count("File ") == 1
    assert 'File "<f>", line 3, in f\n    json.loads(city)\n' in found.stderr


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def f(:", "SyntaxError"),
        ("x = 1", "NameError: the source has no function 'f'"),
        ("def f(a): pass", "TypeError: f() missing 1 required positional argument: 'a'"),
        ("import sys\ndef f(): sys.exit(3)", "SystemExit: 3"),
        ("import os\ndef f(): os._exit(4)", "The code ended its process with status 4, without a result."),
        ("import os\ndef f(): os.abort()", "The code's process was ended by signal"),
        ("def f():\n    x = []\n    x.append(x)\n    return x", "ValueError: the value is nested"),
        ("def f(): return 'x' * 2000000", "ValueError: the result has 2000002 bytes, more than 1048576"),
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("import perdure", "ModuleNotFoundError: No module named 'perdure'"),
        ("import guest", "ModuleNotFoundError: No module named 'guest'"),
        (
            "class E(Exception):\n    def __str__(self): 1 / 0\ndef f(): raise E",
            "E: <its message cannot be shown>",
        ),
    ],
)
async def test_what_goes_wrong_is_told(sandbox: ChosenSandbox, source: str, error: str):
    found = await call(sandbox, source)
    assert (found.status, found.killed) == ("error", None)
    assert found.error
    assert found.error.startswith(error), found


async def test_the_environment_is_what_the_job_says(sandbox: ChosenSandbox):
    source = "import os\ndef f(): return dict(os.environ)"
    assert (await call(sandbox, source, env={"TOKEN": "t"})).value == {"TOKEN": "t"}
    assert (await call(sandbox, source)).value == {}


async def test_files_are_put_in_and_brought_back(sandbox: ChosenSandbox):
    source = """
import os, pathlib
def f():
    pathlib.Path('made').mkdir()
    pathlib.Path('made/out.csv').write_bytes(b'1,2')
    pathlib.Path('other').write_text('x')
    return pathlib.Path('in/a.txt').read_text()
"""
    found = await call(sandbox, source, files={"in/a.txt": b"given"}, keep=["*.csv"])
    assert (found.value, found.files) == ("given", {"made/out.csv": b"1,2"})


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "a\0b"])
async def test_names_of_files_that_lead_out_are_refused(sandbox: ChosenSandbox, name: str):
    with pytest.raises(InvalidArgument, match="working folder"):
        await call(sandbox, "1", None, files={name: b""})


async def test_time_that_is_over_ends_it(sandbox: ChosenSandbox):
    found = await call(sandbox, "print('first')\nwhile True: pass", None, limits=Limits(wall_seconds=0.3))
    assert (found.killed, found.error, found.stdout) == (
        "time",
        "It was stopped after 0.3 seconds.",
        "first\n",
    )


async def test_processor_time_that_is_used_up_ends_it(sandbox: ChosenSandbox):
    found = await call(sandbox, "while True: pass", None, limits=Limits(cpu_seconds=1))
    assert found.killed == "cpu"


async def test_output_beyond_the_limit_is_counted(sandbox: ChosenSandbox):
    source = "import sys\nfor _ in range(100): sys.stdout.write('x' * 10000)\n7"
    found = await call(sandbox, source, None, limits=Limits(output_bytes=5000))
    assert (found.value, len(found.stdout), found.dropped) == (7, 5000, 995000)


async def test_many_at_once_wait_in_line(sandbox: ChosenSandbox):
    source = "def f(n): return n"
    found = await asyncio.gather(*(call(sandbox, source, arguments={"n": n}) for n in range(30)))
    assert [outcome.value for outcome in found] == list(range(30))


async def test_one_that_is_cancelled_dies_at_once(sandbox: ChosenSandbox):
    await call(sandbox, "1", None)
    source = "import time\nwhile True: time.sleep(60)"
    idle = len(_descendants(os.getpid())) + 4  # workers and children that are made for the next calls
    tasks = [asyncio.create_task(call(sandbox, source, None)) for _ in range(12)]
    await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*tasks, return_exceptions=True)
    )
    assert (await asyncio.wait_for(call(sandbox, "3", None), 5)).value == 3
    await _until(lambda: len(_descendants(os.getpid())) <= idle)


async def test_each_call_has_the_limits_it_was_given(sandbox: ChosenSandbox):
    source = "import resource\nresource.getrlimit(resource.RLIMIT_FSIZE)[0]"
    for most in (1 << 20, 1 << 20, 2 << 20, 1 << 20):
        assert (await call(sandbox, source, None, limits=Limits(file_bytes=most))).value == most


async def test_a_call_may_be_one_process_alone(sandbox: ChosenSandbox):
    limits = Limits(processes=1)
    assert (await call(sandbox, "1", None, limits=limits)).value == 1
    if sandbox.name == "bubblewrap":  # the others count, or have control groups
        assert (await call(sandbox, "import os\nos.fork()", None, limits=limits)).status == "error"


async def test_calls_one_after_the_other_have_a_worker_in_common_while_nothing_of_them_is_left_in_it():
    sandbox = ChosenSandbox(SandboxSettings(mode="landlock"))
    try:
        plain, leaves = "import os\n[os.getpid(), os.getppid()]", "open('left', 'w').close()\n"
        calls = [(await call(sandbox, plain, None)).value for _ in range(6)]
        assert len({own for own, _ in calls}) == 6
        assert len({worker for _, worker in calls}) < 4
        _, worker = (await call(sandbox, f"{leaves}{plain}", None)).value
        assert worker in {worker for _, worker in calls}
        assert worker not in [(await call(sandbox, plain, None)).value[1] for _ in range(6)]
    finally:
        await sandbox.close()


@pytest.mark.parametrize("mode", ["bubblewrap", "landlock", "unsafe-local"])
async def test_nothing_is_left_of_a_sandbox_that_was_closed(mode: Any):
    before = _descendants(os.getpid())
    sandbox = ChosenSandbox(SandboxSettings(mode=mode))
    await asyncio.gather(*(call(sandbox, "1", None) for _ in range(3)))
    assert _descendants(os.getpid()) > before
    await sandbox.close()
    await _until(lambda: _descendants(os.getpid()) <= before)


async def test_a_zygote_that_died_is_started_again(sandbox: ChosenSandbox, zygote: Zygote):
    assert (await call(sandbox, "1", None)).value == 1
    running = asyncio.create_task(call(sandbox, "import time\ntime.sleep(20)", None))
    await asyncio.sleep(0.2)
    assert zygote.pid
    os.kill(zygote.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(running, 5)).killed == "crash"
    assert (await call(sandbox, "2", None)).value == 2


def _descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, fresh = set[int](), {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


async def _until(condition: Callable[[], bool], seconds: float = 5) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")
