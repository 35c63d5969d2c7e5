"""Child processes that are measured, and what the system tells of them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

PATIENCE = 60.0
LOG = 20_000  # characters of a child's log that are shown
TICKS = os.sysconf("SC_CLK_TCK")
LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Child:
    """A server in a process of its own, told to stop at the end."""

    command: Sequence[str]
    url: str
    health: str
    environment: dict[str, str] = field(default_factory=dict)
    ready_seconds: float = 0.0
    _process: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        """Start, and wait for the first healthy answer."""
        self._log = tempfile.TemporaryFile()
        began = time.perf_counter()
        self._process = subprocess.Popen(
            self.command, env=surroundings() | self.environment, stdout=self._log, stderr=self._log
        )
        while not answers(self.url, self.health):
            if self._process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"{' '.join(self.command)} does not answer:\n{self.log()}")
            time.sleep(0.001)
        self.ready_seconds = time.perf_counter() - began
        return self

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as hard as it gets."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        if self._log:
            self._log.close()

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._log:
            self._log.close()

    def beside(self, home: Path) -> "Child":
        """A further server of the same database, on a home and a port of its own."""
        port = free_port()
        command = [*self.command[:-1], str(port)]
        named = self.environment | {"PERDURE_HOME": str(home)}
        return Child(command, f"http://{LOOPBACK}:{port}", self.health, named)

    def log(self) -> str:
        """What it wrote."""
        assert self._log is not None
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-LOG:]


def surroundings() -> dict[str, str]:
    """The environment of children: ours, without settings and keys of other servers, and with compiled
    files, which every installation has."""
    ours = ("PERDURE_", "OPENAI_", "ANTHROPIC_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}  # noqa: TID251


def answers(url: str, path: str) -> bool:
    """One plain GET on a fresh connection: is it answered with 200? Waits for a server that is starting."""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def model_server(port: int | None = None) -> Child:
    """The scripted model server."""
    port = port or free_port()
    command = (sys.executable, "-m", "perdure.testing.model_server", "--port", str(port))
    return Child(command, f"http://{LOOPBACK}:{port}", "/v1/models")


def perdure(home: Path, models: str, database_url: str | None = None, module: str = "perdure") -> Child:
    """A Perdure server on `home` whose OpenAI and Anthropic are the scripted model server."""
    port = free_port()
    named = {
        "PERDURE_HOME": str(home),
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": f"{models}/v1",
        "ANTHROPIC_API_KEY": "bench",
        "ANTHROPIC_BASE_URL": models,
    }
    if database_url:
        named["PERDURE_DATABASE_URL"] = database_url
    command = (sys.executable, "-m", module, "serve", "--port", str(port))
    return Child(command, f"http://{LOOPBACK}:{port}", "/v1/health/", named)


def database_url(given: str | None, stack: ExitStack) -> str | None:
    """The URL somebody gave; of `postgres` an empty database on one that lives as long as `stack`."""
    if given != "postgres":
        return given
    import asyncio

    from perdure.testing.postgres import create_database, start_postgres

    server = start_postgres()
    if server is None:
        raise SystemExit("There are no binaries of Postgres here; give the URL of a database.")
    stack.callback(server.stop)
    return asyncio.run(create_database(server.url))


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        return taken.getsockname()[1]


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process in MB; None where the system has no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float | None:
    """Processor time a process has used; None where the system has no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    used = stat.read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / TICKS


def noise() -> str:
    """How busy the machine is with other things: figures of a busy machine are worth little."""
    pressure = Path("/proc/pressure/cpu")
    waiting = pressure.read_text().split()[1].removeprefix("avg10=") if pressure.exists() else "?"
    return f"load {os.getloadavg()[0]:.1f}, tasks waited for a processor {waiting} % of the last 10 s"
