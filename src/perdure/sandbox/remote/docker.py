"""Containers as machines, by the command `docker`: one for each job, started ahead of it.

The command and not the engine's API: it knows contexts, certificates and tunnels, and Podman's is the same.
It takes 25 MB while its container lives, and its start is no part of a call. What runs in a container reads
its job from standard input, so nothing of this machine is mounted, and the engine may be on another one. When
this server ends, however it does, that input ends, and with it the container.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Mapping
from signal import SIGKILL

import orjson

from perdure.sandbox.base import Limits, MiB, Network, SandboxUnavailable
from perdure.sandbox.remote.answer import length
from perdure.sandbox.remote.machines import There, there
from perdure.sandbox.remote.program import BOOT, plan, program
from perdure.sandbox.settings import DockerSettings

START_SECONDS, END_SECONDS, REMOVE_SECONDS = 60.0, 1.0, 30.0
MAX_LINE, PIECE, MAX_SAID = 1 << 20, 1 << 16, 2000
OWN_MEMORY, OWN_PROCESSES = 96 * MiB, 16  # of what holds the job, in the same container
NOBODY = "65534:65534"
WORK = "/tmp"
# What the command may know of this server: where its engine is, and how it is spoken to.
VARIABLES = (
    *("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH"),
    *("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION", "SSH_AUTH_SOCK"),
    *("XDG_RUNTIME_DIR", "CONTAINER_HOST", "CONTAINER_SSHKEY"),
)
NO_NETWORK = "The sandbox docker grants no network; bubblewrap does, and docs/sandbox.md tells what it needs."


def missing(settings: DockerSettings, environment: Mapping[str, str]) -> str | None:
    """Why there can be no containers, as far as that is known without trying."""
    if settings.image is None:
        return "no image is set (PERDURE_SANDBOX_DOCKER_IMAGE), such as python:3.13-slim"
    if shutil.which(settings.command, path=environment.get("PATH")) is None:
        return f"there is no command {settings.command}"
    return None


def arguments(settings: DockerSettings, limits: Limits, name: str) -> Iterator[str]:
    """What is said to `docker` for a container that may do nothing but compute."""
    memory = limits.memory_bytes + 2 * limits.file_bytes + OWN_MEMORY
    yield from ("run", "--interactive", "--rm", "--name", name, "--label", "perdure=sandbox")
    yield from ("--pull", "never", "--log-driver", "none", "--no-healthcheck", "--hostname", "sandbox")
    yield from ("--network", "none", "--ipc", "private", "--user", NOBODY)
    yield from ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    yield from ("--memory", str(memory), "--memory-swap", str(memory))
    yield from ("--pids-limit", str(limits.processes + OWN_PROCESSES), "--shm-size", str(limits.file_bytes))
    yield from ("--tmpfs", f"{WORK}:rw,nosuid,nodev,exec,size={limits.file_bytes},mode=1777")
    if settings.runtime:
        yield from ("--runtime", settings.runtime)
    yield from ("--entrypoint", "python3", str(settings.image), "-I", "-B", "-c", BOOT)


class Container:
    """One that runs, and the command that holds it."""

    def __init__(self, process: Process, name: str, image: str, remove: "Remove"):
        self._process = process
        self._name = name
        self._image = image
        self._remove = remove
        self._said = asyncio.create_task(_last_words(process), name="docker stderr")
        self._there = asyncio.create_task(self._started(), name="docker start")

    async def there(self) -> There:
        return await asyncio.shield(self._there)

    async def answer(self, asked: bytes, seconds: float, most: int) -> bytes:
        await self.there()
        stdin, stdout = self._pipes()
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):  # its end says more
                stdin.write(asked)
                await stdin.drain()
            try:
                said = await stdout.readline()
            except ValueError:  # a line without an end is none of the guest's
                return b""
            return said + await _exactly(stdout, min(length(said), most))

    async def close(self) -> None:
        self._there.cancel()
        stdin, _ = self._pipes()
        stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        if self._process.returncode is None:
            os.killpg(self._process.pid, SIGKILL)
        if await self._process.wait():  # it did not end by itself, so nobody has removed it for sure
            await self._remove(self._name)
        await asyncio.gather(self._there, self._said, return_exceptions=True)

    async def _started(self) -> There:
        stdin, stdout = self._pipes()
        text, said = program(), ""
        try:
            async with asyncio.timeout(START_SECONDS):
                with contextlib.suppress(ConnectionError):  # its end says more
                    stdin.write(b"%d\n%b%b" % (len(text), text, plan(WORK)))
                    await stdin.drain()
                line = await stdout.readline()
                said = "" if line else await asyncio.shield(self._said)
            return there(orjson.loads(line))
        except TimeoutError as error:
            raise self._failed(f"no answer within {START_SECONDS:g} s.") from error
        except ValueError as error:
            raise self._failed(said or "it ended without a word.") from error

    def _failed(self, reason: str) -> SandboxUnavailable:
        return SandboxUnavailable(f"No container of the image {self._image} could be started: {reason}")

    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise SandboxUnavailable("The container has no standard input.")
        return stdin, stdout


class Remove:
    """Removes a container by its name, with all that runs in it."""

    def __init__(self, command: str, environment: Mapping[str, str]):
        self._command = command
        self._environment = environment

    async def __call__(self, name: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(self._command, "rm", "--force", name),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(REMOVE_SECONDS):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, SIGKILL)
            await process.wait()


class Docker:
    """Containers; some wait, started with the limits of the settings, so that most calls find one."""

    name = "docker"
    attended = True

    def __init__(self, settings: DockerSettings, limits: Limits, environment: Mapping[str, str]):
        self._settings = settings
        self._limits = limits
        self._environment = {key: environment[key] for key in VARIABLES if key in environment}
        path = shutil.which(settings.command, path=environment.get("PATH"))
        self._command = path or settings.command
        self._warm: list[Container] = []
        self._starting = set[asyncio.Task[None]]()
        self._closed = False

    async def take(self, limits: Limits, network: Network) -> Container:
        if network:
            raise SandboxUnavailable(NO_NETWORK)
        if self._closed:
            raise SandboxUnavailable("The sandbox is closed.")
        if not _fits(limits, self._limits):
            return await self._start(limits)
        container = self._warm.pop() if self._warm else await self._start(self._limits)
        self._refill()
        return container

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(container.close() for container in self._warm))
        self._warm.clear()

    def _refill(self) -> None:
        if len(self._warm) + len(self._starting) < self._settings.warm:
            task = asyncio.create_task(self._keep_one(), name="docker ahead")
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _keep_one(self) -> None:
        container = await self._start(self._limits)
        try:
            await container.there()
        except SandboxUnavailable:  # the next call starts one itself, and is told why it cannot
            await container.close()
        else:
            self._warm.append(container)

    async def _start(self, limits: Limits) -> Container:
        name = f"perdure-{os.getpid()}-{secrets.token_hex(6)}"
        try:
            process = await asyncio.create_subprocess_exec(
                *(self._command, *arguments(self._settings, limits, name)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=self._environment,
                limit=MAX_LINE,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxUnavailable(f"{self._command} could not be started: {error.strerror}.") from error
        remove = Remove(self._command, self._environment)
        return Container(process, name, str(self._settings.image), remove)


def _fits(limits: Limits, ours: Limits) -> bool:
    """Whether a container that was started with our limits holds a job with its own."""
    return (
        limits.memory_bytes <= ours.memory_bytes
        and limits.processes <= ours.processes
        and limits.file_bytes <= ours.file_bytes
    )


async def _exactly(stream: asyncio.StreamReader, count: int) -> bytes:
    """So many bytes, or as many as come."""
    try:
        return await stream.readexactly(count)
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _last_words(process: Process) -> str:
    """The last line that the command complained in, when it has ended."""
    said = b""
    while process.stderr and (piece := await process.stderr.read(PIECE)):
        said = (said + piece)[-MAX_SAID:]
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("See '", "Run '"))]
    return " ".join(told[-2:])
