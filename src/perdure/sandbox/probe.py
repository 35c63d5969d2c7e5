"""A short trial of a sandbox that was just started: what must hold, tried from inside."""

import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from perdure.sandbox.base import Job, Limits, Outcome, SandboxUnavailable

SOURCE = (Path(__file__).parent / "guest" / "trial.py").read_text()
LIMITS = Limits(wall_seconds=10.0, cpu_seconds=5)


class Runs(Protocol):
    """Runs jobs."""

    async def run(self, job: Job) -> Outcome: ...


async def probe(sandbox: Runs, *, server: int | None = None) -> None:
    """Raises `SandboxUnavailable` naming what does not hold. `server` is its process, ours if not told."""
    with witness() as (path, port, secret, _):
        arguments = {"path": path, "port": port, "server": server or os.getpid(), "secret": secret}
        job = Job(SOURCE, "probe", "breaches", arguments=arguments, limits=LIMITS)
        found = await sandbox.run(job)
    if found.status == "error":
        raise SandboxUnavailable(f"The trial of the sandbox failed: {found.error}")
    if found.value:
        raise SandboxUnavailable(f"The sandbox does not hold: {'; '.join(map(str, found.value))}.")


@contextlib.contextmanager
def witness() -> Generator[tuple[str, int, str, str]]:
    """A file that anybody on this machine may read, a port that anybody may connect to; secret and folder."""
    secret = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="perdure-probe-") as folder, socket.socket() as listener:
        Path(folder).chmod(0o755)
        path = Path(folder) / "witness"
        path.write_text(secret)
        path.chmod(0o644)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(path), listener.getsockname()[1], secret, folder
