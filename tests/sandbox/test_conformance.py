"""Every attack, on every sandbox that this machine can run, as root and as an ordinary user.

Each combination is a process of its own, so that attacks meet a server like the real one. The names of the
tests that ran say which combinations those were.
"""

import fcntl
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.sandbox.attacks import ATTACKS
from tests.sandbox.ordinary import IS_ROOT, as_ordinary_user

from perdure.sandbox.backends import missing

SECRET = "sk-conformance-secret"
# They harm nobody where nothing holds them.
HARMLESS = (
    "the server's home",
    "the server's key ring",
    "the server's database",
    "the system's /tmp",
    "inotify in the server's home",
    "the server's environment",
    "other processes' memory",
    "command lines of other processes",
    "open files of other processes",
    "another call's environment, files and output",
    "a socket of another call",
    "a local port",
    "a unix socket",
    "an abstract unix socket",
    "sockets of the family netlink",
    "signals to the server",
    "the system call memfd_create",
    "the system call seccomp",
)
COMBINATIONS = [
    *((backend, "root", "plain") for backend in ("bubblewrap", "landlock")),
    *((backend, "ordinary user", "plain") for backend in ("bubblewrap", "landlock")),
    ("landlock", "ordinary user", "Linux 6.1"),
    ("bubblewrap", "ordinary user", "packages and network"),
    ("landlock", "ordinary user", "packages and network"),
    ("docker", "this user", "plain"),
]
DOCKER = ("PERDURE_TEST_DOCKER_IMAGE", "DOCKER_HOST")


def started(backend: str, user: str, kind: str, *only: str) -> subprocess.Popen[str]:
    """A process that tries all attacks, or only some."""
    script = Path(__file__).with_name("conformance.py")
    command, variables = as_ordinary_user(script, backend, kind, *only, PERDURE_API_KEY=SECRET)
    if user != "ordinary user":
        command = [sys.executable, str(script), backend, kind, *only]
    variables |= {name: os.environ[name] for name in ("PATH", *DOCKER) if name in os.environ}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, cwd="/"
    )


@cache
def tried(shared: Path, backend: str, user: str, kind: str) -> dict[str, str | None] | str:
    """What each attack breached; or why the sandbox could not be started.

    Tests may run in several processes. The first that wants to know finds it out for all: in `shared`.
    """
    told = shared / f"{backend} {user} {kind}.json"
    with (shared / "conformance.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            for name, found in _found(kind).items():
                (shared / name).write_text(json.dumps(found))
    return json.loads(told.read_text())


def _found(kind: str) -> dict[str, dict[str, str | None] | str]:
    """That of all combinations with a kind like this one, side by side: they wait most of the time."""
    alike = [one for one in COMBINATIONS if (one[2] == "plain") == (kind == "plain") and not _reason(*one)]
    processes = {f"{' '.join(one)}.json": started(*one) for one in alike}
    found: dict[str, dict[str, str | None] | str] = {}
    for name, process in processes.items():
        out, err = process.communicate(timeout=240)
        lines = map(json.loads, out.splitlines())
        found[name] = err[-2000:] if process.returncode else {each["name"]: each["breach"] for each in lines}
    return found


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of tests, whichever of its processes this is."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _reason(backend: str, user: str, _: str) -> str | None:
    """Why a combination cannot be tried."""
    if backend == "docker":
        return None if DOCKER[0] in os.environ else f"{DOCKER[0]} names no image, so no engine is tried"
    return missing(backend) or ("not run as root" if user == "root" and not IS_ROOT else None)


PARAMETERS = [
    pytest.param(
        *one,
        id=f"{one[0]} as {one[1]}, {one[2]}",
        marks=pytest.mark.skipif(bool(_reason(*one)), reason=_reason(*one) or ""),
    )
    for one in COMBINATIONS
]


@pytest.mark.parametrize("attack", [attack.name for attack in ATTACKS])
@pytest.mark.parametrize(("backend", "user", "kind"), PARAMETERS)
def test_the_sandbox_holds(shared: Path, backend: str, user: str, kind: str, attack: str):
    found = tried(shared, backend, user, kind)
    if isinstance(found, str):
        pytest.skip(f"{backend} cannot be started here as {user}: {found}")
    assert found[attack] is None


def test_at_least_one_sandbox_runs_here(shared: Path):
    assert any(isinstance(tried(shared, *one), dict) for one in COMBINATIONS if not _reason(*one))


@pytest.mark.skipif(bool(missing("unsafe-local")), reason="no Linux")
def test_the_same_attacks_succeed_where_there_is_no_sandbox():
    user = "root" if IS_ROOT else "ordinary user"
    out, err = started("unsafe-local", user, "plain", *HARMLESS).communicate(timeout=60)
    breaches = {line["name"]: line["breach"] for line in map(json.loads, out.splitlines())}
    assert [name for name in HARMLESS if not breaches.get(name)] == [], err
