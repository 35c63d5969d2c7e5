"""The Landlock fork server, for where user namespaces are refused, such as in most containers."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from perdure.sandbox.guest import landlock
from perdure.sandbox.inside import GUEST, Inside
from perdure.sandbox.privileges import is_root, launcher
from perdure.sandbox.process import Command

SPARE_PROCESSES = 64
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = (
    *("/etc/ssl", "/etc/ca-certificates", "/etc/pki", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/mime.types", "/etc/alternatives"),
)


class Ground:
    """The folder that calls' folders are made in, beside links to the packages they may import."""

    def __init__(self, user: int):
        self.path = Path(tempfile.mkdtemp(prefix="perdure-sandbox-"))
        self.path.chmod(0o755)
        self.calls = self.path / "calls"
        self.calls.mkdir(mode=0o700)
        if is_root():
            os.chown(self.calls, user, user)
        self._count = 0

    def packages(self, paths: Iterable[Path]) -> Path:
        """A folder with links to these: as an entry of `sys.path`, it shows them alone."""
        self._count += 1
        folder = self.path / f"packages-{self._count}"
        folder.mkdir()
        for path in paths:
            (folder / path.name).symlink_to(path)
        return folder

    def close(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def command(inside: Inside, user: int | None) -> Command:
    """Start a zygote; what its jobs can reach is decided after each fork."""
    shown = [inside.prefix.resolve(), GUEST, *inside.packages, *(source for source, _ in inside.mounts)]
    python = [str(inside.python), "-I", "-S", "-B", str(GUEST / "main.py"), "{control}"]
    return Command((*launcher(user, shown), *python))


def plan(inside: Inside, ground: Ground, concurrency: int) -> dict[str, object]:
    """What its guest is told. Processes are counted by the kernel per user, so others' are added."""
    packages = ground.packages(inside.packages)
    readable = [*_SYSTEM, *_ETC, str(inside.prefix.resolve()), str(packages), *map(str, inside.packages)]
    readable += [str(source) for source, _ in inside.mounts]
    others = 0 if is_root() else _processes_of(os.getuid())
    return unconfined(inside, packages, ground) | {
        "unconfined": False,
        "landlock": landlock.version(),
        "filtered": not inside.trusted,
        "readable": readable,
        "other_processes": others + concurrency * SPARE_PROCESSES,
    }


def unconfined(inside: Inside, packages: Path, ground: Ground) -> dict[str, object]:
    """The same without any protection."""
    return {
        "namespaces": False,
        "unconfined": True,
        "paths": [str(packages), *inside.paths],
        "preload": list(inside.preload),
        "scratch": str(ground.calls),
        "other_processes": 1 << 20,
    }


def _processes_of(user: int) -> int:
    """How many threads a user has now."""
    count = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and folder.stat().st_uid == user:
                count += sum(1 for _ in (folder / "task").iterdir())
        except OSError:  # gone in the meantime
            continue
    return count
