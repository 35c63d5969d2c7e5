"""Programs that stay, such as servers of tools: each in namespaces of its own, by bubblewrap.

What runs in one sees the system's programs and libraries, read-only, a home of its own, and nothing else of
this machine; no other process; a network with nothing in it, or with a proxy to the hosts it was granted.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGKILL
from typing import IO

import orjson

from perdure.sandbox.base import MiB, Network, SandboxUnavailable
from perdure.sandbox.bubblewrap import binaries, of_python, system
from perdure.sandbox.egress.proxy import Egress, proxy_environment
from perdure.sandbox.environments.environments import Environments
from perdure.sandbox.environments.programs import packaged, program_of
from perdure.sandbox.guest import seccomp
from perdure.sandbox.guest.resident import MAX_PLAN
from perdure.sandbox.guest.scratch import used
from perdure.sandbox.inside import GUEST, Inside
from perdure.sandbox.node.runtime import NodeRuntime, find_node
from perdure.sandbox.privileges import is_root, launcher
from perdure.sandbox.probe import SOURCE, witness
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.surroundings import Surroundings

HOME, TMP = "/sandbox/home", "/tmp"
ENVIRONMENT, NODE = "/sandbox/environment", "/sandbox/node"
GUEST_INSIDE = "/sandbox/guest"
BOOT = "import sys; sys.path.insert(0, '/sandbox'); from guest.resident import main; main(int(sys.argv[1]))"
POLITE_SECONDS, TRIAL_SECONDS = 2.0, 20.0
MAX_SAID = 1 << 16


@dataclass(frozen=True, slots=True)
class Resident:
    """A program: what is executed, with which variables, where its home is outside, what it may use.

    `npx` and `uvx` are read and not executed: the packages they name are installed as those of tools are.
    shown: files and folders of this machine that it may read, and where; beside the system's programs.
    """

    argv: tuple[str, ...]
    home: Path
    organization_id: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    shown: tuple[tuple[Path, str], ...] = ()
    hosts: tuple[str, ...] = ()
    memory_bytes: int = 1024 * MiB
    processes: int = 128
    file_bytes: int = 1024 * MiB


class Running:
    """One that runs. Its standard streams are `stdin` and `stdout`, lines of at most the given length."""

    def __init__(self, process: Process, control: socket.socket, egress: Egress | None):
        self._process = process
        self._control = control
        self.egress = egress
        self.release: Callable[[], None] = lambda: None  # what is given back when it has ended
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    async def close(self) -> None:
        """End it with all that came of it: first by the end of its input, soon without asking."""
        self.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLITE_SECONDS):
                await self._process.wait()
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, SIGKILL)
        await self._process.wait()
        if self.egress:
            await self.egress.close()
        self.release()


class Residents:
    """Starts them in the first bubblewrap that holds here, found out when one is first wanted."""

    def __init__(self, settings: SandboxSettings, around: Surroundings):
        self._settings = settings
        self._around = around
        self._bwrap: str | None = None
        self._node: NodeRuntime | None = None
        self._environments: Environments | None = None
        self._choosing = asyncio.Lock()

    async def start(self, wanted: Resident, stderr: IO[str] | int, max_line: int) -> Running:
        """Start one; raises `SandboxUnavailable` where none can be held here."""
        async with self._choosing:
            if self._bwrap is None:
                self._bwrap = await self._choose()
        asked = packaged(wanted.argv[0], wanted.argv[1:])
        if asked is None:
            return await self._start(self._bwrap, wanted, stderr, max_line)
        environments = await self._open_environments(self._bwrap)
        environment = await environments.take(wanted.organization_id, asked.kind, (asked.line,))
        try:
            argv = program_of(asked, environment.folder, ENVIRONMENT, Inside().python, NODE)
            node = ((self._node.program, NODE),) if self._node else ()
            shown = (*wanted.shown, *node, (environment.folder, ENVIRONMENT))
            wanted = replace(wanted, argv=argv, shown=shown)
            running = await self._start(self._bwrap, wanted, stderr, max_line)
        except BaseException:
            environment.release()
            raise
        running.release = environment.release
        return running

    async def close(self) -> None:
        """Stop what is being installed."""
        if self._environments:
            await self._environments.close()

    async def _open_environments(self, bwrap: str) -> Environments:
        async with self._choosing:
            if self._around.folder is None:
                raise SandboxUnavailable("Packages cannot be installed: the sandbox has no folder for them.")
            if self._environments is None:
                path = self._around.environment.get("PATH")
                self._node = await asyncio.to_thread(find_node, self._settings.node, path)
                self._environments = Environments(
                    self._around.folder,
                    self._settings.environments,
                    self._around.environment,
                    bwrap,
                    self._node,
                )
            return self._environments

    async def _choose(self) -> str:
        reason = self._missing()
        for bwrap in [] if reason else binaries():
            reason = await self._tried(bwrap)
            if reason is None:
                return bwrap
        raise SandboxUnavailable(
            f"Programs that stay can be held by bubblewrap alone, and there is none here: {reason} "
            "docs/sandbox.md tells what to install or to allow."
        )

    def _missing(self) -> str | None:
        if self._settings.mode == "off":
            return "PERDURE_SANDBOX is off."
        if sys.platform != "linux" or not seccomp.is_supported():
            return "it needs Linux with seccomp filters."
        return None if binaries() else "no bwrap is installed."

    async def _tried(self, bwrap: str) -> str | None:
        """What does not hold when our own trial runs in one; it is that of all sandboxes."""
        with witness() as (path, port, secret, folder):
            called = f"breaches({path!r}, {port}, {os.getpid()}, {secret!r})"
            code = f"{SOURCE}\nimport json, sys\nprint(json.dumps({called}))"
            argv = (str(Inside().python), "-I", "-S", "-c", code)
            wanted = Resident(argv, Path(folder) / "home", "trial")
            reading, writing = os.pipe()
            with os.fdopen(reading, errors="replace") as complaints:
                try:
                    running = await self._start(bwrap, wanted, writing, MAX_SAID)
                finally:
                    os.close(writing)
                try:
                    async with asyncio.timeout(TRIAL_SECONDS):
                        said = await running.stdout.read(MAX_SAID)
                except TimeoutError:
                    said = b""
                finally:
                    await running.close()
                if not said:
                    return complaints.read(2000).strip() or "it says nothing."
        found = json.loads(said)
        return f"{'; '.join(found)}." if found else None

    async def _start(self, bwrap: str, wanted: Resident, stderr: IO[str] | int, max_line: int) -> Running:
        await asyncio.to_thread(_make_home, wanted, self._settings.user)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(bwrap, wanted, self._settings.user, theirs.fileno()),
                stdin=PIPE,
                stdout=PIPE,
                stderr=stderr,
                env={},  # what the program is given would count for what starts it, too
                pass_fds=(theirs.fileno(),),
                limit=max_line,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise SandboxUnavailable(f"{bwrap} could not be started: {error.strerror}.") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        egress = (
            Egress(Network(wanted.hosts), self._settings.egress, self._around.networks)
            if wanted.hosts
            else None
        )
        running = Running(process, ours, egress)
        try:
            await _tell(ours, wanted, running.egress)
        except BaseException:
            await running.close()
            raise
        return running

    def _egress(self, wanted: Resident) -> Egress:
        return Egress(Network(wanted.hosts), self._settings.egress, self._around.networks)


async def _tell(control: socket.socket, wanted: Resident, egress: Egress | None) -> None:
    """Say what to execute; with a network, its proxy answers before anything can ask it."""
    env = {**wanted.env, **(proxy_environment() if egress else {})}
    plan = {
        "argv": wanted.argv,
        "env": env,
        "folder": HOME,
        "temporary": TMP,
        "network": egress is not None,
        "memory_bytes": wanted.memory_bytes,
        "processes": wanted.processes,
        "file_bytes": wanted.file_bytes,
    }
    message = orjson.dumps(plan)
    if len(message) > MAX_PLAN:
        raise SandboxUnavailable(f"Arguments and variables have more than {MAX_PLAN} bytes together.")
    with contextlib.suppress(BrokenPipeError):  # it ended already, and has said why
        control.send(message)
    if egress is None:
        return
    loop = asyncio.get_running_loop()
    come = loop.create_future()
    loop.add_reader(control, lambda: come.done() or come.set_result(None))
    try:
        await come
    finally:
        loop.remove_reader(control)
    _, numbers, *_ = socket.recv_fds(control, 100, 1)
    if numbers:
        egress.listen(socket.socket(fileno=numbers[0]))


def command(bwrap: str, wanted: Resident, user: int, control: int) -> tuple[str, ...]:
    """How it is started. As root, `user` is who it becomes."""
    inside = Inside()
    own = [Path("/usr"), Path(bwrap), *of_python(inside), GUEST, wanted.home]
    arguments = [
        bwrap,
        *("--unshare-all", "--as-pid-1", "--die-with-parent", "--uid", "1000", "--gid", "1000"),
        *("--hostname", "sandbox", "--ro-bind", "/usr", "/usr", *system()),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--tmpfs", TMP),
        *(word for path in of_python(inside) for word in ("--ro-bind", str(path), str(path))),
        *("--ro-bind", str(GUEST), GUEST_INSIDE),
        # Nothing may be shown below what earlier programs could write to: they could have put a link there.
        *("--bind", str(wanted.home), HOME),
        *(word for path, where in wanted.shown for word in ("--ro-bind", str(path), where)),
        *("--remount-ro", "/", "--chdir", HOME, "--"),
        *(str(inside.python), "-I", "-S", "-B", "-c", BOOT, str(control)),
    ]
    return (*launcher(user, [*own, *(path for path, _ in wanted.shown)]), *arguments)


def _make_home(wanted: Resident, user: int) -> None:
    """A folder that belongs to whom the program runs as, and that nobody else may enter.

    One that has become too large is emptied, for nobody else could do that.
    """
    home = wanted.home
    if used(str(home), in_memory=False) > wanted.file_bytes:
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if is_root():
        os.chown(home, user, user)
