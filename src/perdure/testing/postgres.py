"""A throw-away Postgres for tests: a real server on a Unix socket, up in half a second, no root needed.

The binaries come from the `pgserver` wheel (Postgres 16 with pgvector) or from `PATH`. The server
dies with the process that started it, even when that is killed hard: it hangs on a pipe.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
from sqlalchemy import make_url

NOBODY = 65534
PATIENCE = 20.0
WATCH = 'files=$1; shift; "$@" & server=$!; read -r _; kill -QUIT $server; wait $server; rm -rf "$files"'
THROW_AWAY = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `url` names its maintenance database."""

    url: str
    directory: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the server; its watcher removes the files."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def start_postgres() -> PostgresServer | None:
    """A fresh server in a temporary directory, or None where there are no Postgres binaries."""
    binaries = _find_binaries()
    if binaries is None:
        return None
    directory = Path(tempfile.mkdtemp(prefix="perdure-pg-"))
    user = NOBODY if os.geteuid() == 0 else None  # Postgres refuses to run as root
    if user is not None:
        os.chown(directory, user, user)
        binaries = _readable(binaries, directory)
    data = directory / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8", "--no-sync"],
        user=user, check=True, stdout=subprocess.DEVNULL, cwd=directory,
    )  # fmt: skip
    options = [option for name, value in THROW_AWAY.items() for option in ("-c", f"{name}={value}")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", WATCH, "sh", directory,
             binaries / "postgres", "-D", data, "-k", directory, *options],
            user=user, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=directory,
        )  # fmt: skip
    _wait_until_ready(binaries, directory)
    return PostgresServer(f"postgresql://postgres@/postgres?host={directory}", directory, process)


async def create_database(server_url: str, template: str | None = None) -> str:
    """A new database on the server, empty or a copy of the database at `template`; returns its URL."""
    name = f"perdure_{uuid.uuid4().hex}"
    source = f' template "{make_url(template).database}"' if template else ""
    await _execute(server_url, f'create database "{name}"{source}')
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


async def drop_database(server_url: str, url: str) -> None:
    """Remove a database that `create_database` made, whoever is still connected."""
    await _execute(server_url, f'drop database "{make_url(url).database}" with (force)')


async def _execute(server_url: str, statement: str) -> None:
    connect = cast("Callable[..., Awaitable[Any]]", asyncpg.connect)  # asyncpg has no full types
    conn = await connect(server_url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


def _find_binaries() -> Path | None:
    wheel = importlib.util.find_spec("pgserver")  # found, not imported: it warns and takes locks
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    system = shutil.which("postgres")
    return Path(system).resolve().parent if system else None


def _readable(binaries: Path, directory: Path) -> Path:
    """The binaries where `nobody` may run them: in place, or as a copy."""
    probe = subprocess.run([binaries / "initdb", "--version"], user=NOBODY, check=False, capture_output=True)
    if probe.returncode == 0:
        return binaries
    shutil.copytree(binaries.parent, directory / "install", symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", directory / "install"], check=True)
    return directory / "install" / binaries.name


def _wait_until_ready(binaries: Path, directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while subprocess.run([binaries / "pg_isready", "-q", "-h", directory], check=False).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError((directory / "log").read_text())
        time.sleep(0.02)
