"""Runs all attacks in one sandbox, as a process of its own, prints JSON: `conformance.py BACKEND KIND`."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.sandbox.attacks import ATTACKS, COMMON, Attack
from tests.sandbox.packages import make_wheel

from perdure.sandbox.base import Job, Network, Outcome, Requirements
from perdure.sandbox.chosen import ChosenSandbox, Found, FoundAway
from perdure.sandbox.guest import landlock
from perdure.sandbox.guest.dial import BROKER
from perdure.sandbox.settings import DockerSettings, SandboxSettings
from perdure.sandbox.surroundings import Surroundings

IMAGE = "PERDURE_TEST_DOCKER_IMAGE"  # where a Docker engine is to be tested, an image with Python
Told = dict[str, object]
Kind = dict[str, object]
# What jobs may have beside plain Python, which must not help an attack.
KINDS: dict[str, Kind] = {
    "plain": {},
    "Linux 6.1": {},
    "packages": {"requirements": Requirements(("words",))},
    "network": {"network": Network(("*",))},
    "packages and network": {"requirements": Requirements(("words",)), "network": Network(("*",))},
}


def main(backend: str, kind: str, only: Sequence[str]) -> None:
    logging.basicConfig(level=logging.ERROR)
    if kind == "Linux 6.1":
        _forget()
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        Path(folder).chmod(0o755)
        make_wheel(Path(folder) / "wheels", "words", "1.0", {"words.py": ""})
        told = {"UV_FIND_LINKS": f"{folder}/wheels", "UV_NO_INDEX": "1", "HOME": folder}
        docker = DockerSettings(image=os.environ.get(IMAGE)) if backend == "docker" else DockerSettings()
        told |= {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
        settings = SandboxSettings(mode=backend, docker=docker)
        opened = ChosenSandbox(settings, Surroundings(Path(folder) / "built", told))
        asyncio.run(_try_all(opened, kind, only))


def _forget() -> None:
    """What Landlock learnt after its second version: truncation, network, signals."""
    landlock.version = lambda: 2


async def _try_all(opened: ChosenSandbox, kind: str, only: Sequence[str]) -> None:
    try:
        found = await opened.choose()
        await opened.run(Job("import socket", "org-1", **KINDS[kind]))  # the world of the attacks is warm
        with _world(KINDS[kind]) as world:
            world.told["alone"] = isinstance(found, FoundAway)  # nothing is there but what serves this call
            for attack in [attack for attack in ATTACKS if not only or attack.name in only]:
                begun = time.monotonic()
                breach = await _tried(opened, found, attack, world)
                seconds = round(time.monotonic() - begun, 2)
                print(json.dumps({"name": attack.name, "breach": breach, "seconds": seconds}), flush=True)
    finally:
        await opened.close()


async def _tried(
    opened: ChosenSandbox, found: Found | FoundAway, attack: Attack, world: "World"
) -> str | None:
    """What was breached, if something was."""
    alive = _zygotes(found)
    if attack.before:
        await opened.run(_job(attack, attack.before, world))
    beside = asyncio.create_task(opened.run(_job(attack, attack.beside, world))) if attack.beside else None
    try:
        await asyncio.sleep(0.2 if beside else 0)
        job = _job(attack, attack.code, world)
        outcome = await asyncio.wait_for(opened.run(job), attack.limits.wall_seconds + 4)
    except TimeoutError:
        return "it never ended"
    finally:
        if beside:
            beside.cancel()
    held = attack.held or _nothing_got
    own_machine_lost = isinstance(found, FoundAway) and outcome.killed == "crash"
    if not (held(outcome) or own_machine_lost):
        return f"{outcome}"[:2000]
    if _zygotes(found) != alive:
        return "the zygote was killed"
    return world.changed() or await _next_call(opened)


def _zygotes(found: Found | FoundAway) -> list[int | None]:
    """The processes that must live on: that of plain Python, and those of all worlds."""
    if isinstance(found, FoundAway):
        return []  # each call has its own, and is the last to use it
    worlds = found.equipment._worlds._worlds.values()
    return [found.zygote.pid, *(world.zygote.pid for world in worlds)]


def _nothing_got(outcome: Outcome) -> bool:
    return not outcome.value if outcome.status == "success" else _is_refusal(outcome)


def _is_refusal(outcome: Outcome) -> bool:
    kinds = (
        "PermissionError",
        "FileNotFoundError",
        "OSError",
        "ConnectionRefusedError",
        "ProcessLookupError",
    )
    return not outcome.killed and (outcome.error or "").startswith(kinds)


async def _next_call(opened: ChosenSandbox) -> str | None:
    answer = await asyncio.wait_for(opened.run(Job("6 * 7", "org-2")), 10)
    return None if answer.value == 42 else f"the next call failed: {answer}"


def _job(attack: Attack, code: str, world: "World") -> Job:
    return Job(
        COMMON + code,
        "org-1",
        "attack",
        arguments={"world": world.told},
        limits=attack.limits,
        keep=attack.keep,
        **world.kind,
    )


class World:
    """What there is to be had, and to be left alone."""

    def __init__(
        self, folder: Path, victim: subprocess.Popen[bytes], told: Told, kind: Kind, mailbox: socket.socket
    ):
        self.told = told
        self.kind: Any = kind
        self._mailbox = mailbox
        self._victim = victim
        self._folder = folder
        self._database = folder / "perdure.db"
        self._before = self._state()

    def _state(self) -> tuple[object, ...]:
        state = self._database.stat()
        names = sorted(path.name for path in self._folder.iterdir())
        return (self._database.read_text(), state.st_mode, state.st_mtime_ns, state.st_uid, names)

    def changed(self) -> str | None:
        """What an attack did to it."""
        with contextlib.suppress(BlockingIOError):
            return f"a datagram arrived: {self._mailbox.recv(100)!r}"
        if self._state() != self._before:
            return "the server's files were changed"
        if self._victim.poll() is not None or _state_of(self._victim.pid) in "TZ":
            return "another process was killed or stopped"
        left = [pid for pid, line in _command_lines() if str(self.told["marker"]) == line.partition("\0")[0]]
        return f"processes were left: {left}" if left else None


def _state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _command_lines() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), (folder / "cmdline").read_text(errors="replace")


@contextlib.contextmanager
def _world(kind: Kind) -> Iterator[World]:
    marker = f"perdure-marker-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=marker)))
        folder.chmod(0o777)
        for name in ("perdure.db", "keys"):
            (folder / name).write_text("a secret of the server")
            (folder / name).chmod(0o666)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        mailbox = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        mailbox.bind(tcp.getsockname())
        mailbox.setblocking(False)
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        unix.listen()
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind("\0" + marker)
        abstract.listen()
        victim = subprocess.Popen(
            [sys.executable, "-c", "input()", marker + "-victim"], stdin=subprocess.PIPE
        )
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        told: Told = {
            "server": os.getpid(),
            "victim": victim.pid,
            "home": str(folder),
            "database": str(folder / "perdure.db"),
            "keys": str(folder / "keys"),
            "port": tcp.getsockname()[1],
            "unix": str(folder / "socket"),
            "abstract": marker,
            "marker": marker,
            "secret": os.environ["PERDURE_API_KEY"],
            "scratch": "/tmp",
            "descriptors": [0, 1, 2, 4, *([BROKER] if "network" in kind else [])],
        }
        yield World(folder, victim, told, kind, mailbox)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("backend")
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("only", nargs="*", help="names of attacks")
    options = parser.parse_args()
    main(options.backend, options.kind, options.only)
