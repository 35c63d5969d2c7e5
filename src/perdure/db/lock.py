"""Locks on files that end with the process that holds them, however it ends."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from sqlalchemy import make_url

from perdure.kit.errors import PerdureError

INSTANCES = 64


class AlreadyInUse(PerdureError):
    """Another process holds the lock."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is held; its file may carry a line of text."""

    path: Path
    file: IO[str]

    def read(self) -> str:
        """The text in the file."""
        self.file.seek(0)
        return self.file.read().strip()

    def write(self, text: str) -> None:
        """Replace the text in the file."""
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text + "\n")
        self.file.flush()

    def release(self) -> None:
        """Let others have it."""
        self.file.close()


def take(path: Path, *, wait: bool = False) -> Held | None:
    """Lock a file, made if missing; None when another process has it, unless told to wait."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = path.open("a+")
    if _lock(file, wait):
        return Held(path, file)
    file.close()
    return None


def take_database(url: str, *, purpose: str = "server") -> Held | None:
    """Reserve a SQLite file for this process; databases that servers may share need no lock."""
    path = sqlite_path(url)
    if path is None:
        return None
    held = take(lock_path := path.with_name(path.name + ".lock"))
    if held is None:
        holder = lock_path.read_text().strip() or "just starting"
        raise AlreadyInUse(
            f"{path} is in use by another Perdure process ({holder}). "
            "Stop it first, give this one its own PERDURE_HOME, or share a Postgres by PERDURE_DATABASE_URL."
        )
    held.write(f"{purpose}, process {os.getpid()}")
    return held


def claim_instance(home: Path) -> tuple[str, Held]:
    """A lasting name for this server: the same after a restart, never that of another living server."""
    for number in range(INSTANCES):
        held = take(home / (f"instance-{number}" if number else "instance"))
        if held:
            name = held.read()
            if not name:
                name = f"instance-{uuid4()}"
                held.write(name)
            return name, held
    raise AlreadyInUse(f"{INSTANCES} servers share {home}; give some their own PERDURE_HOME.")


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for other databases and those in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        return None
    return Path(str(parsed.database)).absolute()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str], wait: bool) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: IO[str], wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
