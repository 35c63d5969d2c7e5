"""The folder of all environments: who uses one, which are the oldest, what they take. All of it blocks.

Several servers may share a home, so who uses an environment holds a lock on a file beside it, shared,
and who builds or removes it, alone. The time of that file tells when it was last wanted.
"""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

CACHE = "cache"
BUILDING = "building-"
LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Hold:
    """An environment that is in use, until `release`."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """It may be removed now."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Draft:
    """A folder to build an environment in. Nobody else builds that one until `close`."""

    path: Path
    becomes: Path
    locks: tuple[int, ...]

    def keep(self) -> None:
        """It is whole, and is the environment from now on."""
        self.path.rename(self.becomes)

    def close(self) -> None:
        """Remove what was not kept, and let others build."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.with_suffix(LOCK).unlink()
        for descriptor in self.locks:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Folder:
    """Environments by key, below `root`."""

    root: Path

    @property
    def cache(self) -> Path:
        """What package clients keep between builds."""
        return self.root / CACHE

    def prepare(self) -> None:
        """Make it, and remove what a server that died in a build has left."""
        self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.root.glob(f"{BUILDING}*{LOCK}"):
            if (descriptor := self._try(left.stem, fcntl.LOCK_EX)) is not None:
                shutil.rmtree(left.with_suffix(""), ignore_errors=True)
                left.unlink(missing_ok=True)
                os.close(descriptor)

    def hold(self, key: str) -> Hold | None:
        """Use an environment; None when it is not there, or not yet."""
        if not self.root.is_dir() or (descriptor := self._try(key, fcntl.LOCK_SH)) is None:
            return None
        if not (self.root / key).is_dir():
            os.close(descriptor)
            return None
        os.utime(descriptor)
        return Hold(self.root / key, descriptor)

    def begin(self, key: str) -> Draft | None:
        """Build an environment, when nobody else does any longer; None if it is there."""
        own = self._wait(key)
        if (self.root / key).is_dir():
            os.close(own)
            return None
        name = f"{BUILDING}{uuid4().hex}"
        draft = Draft(self.root / name, self.root / key, (own, self._wait(name)))
        draft.path.mkdir()
        return draft

    def make_room(self, budget: int, spared: str) -> None:
        """Remove what package clients keep, then environments not in use, until the rest fits."""
        if used(self.root) <= budget:
            return
        self._remove(self.cache)
        self.cache.mkdir(mode=0o700, exist_ok=True)
        locks = [lock for lock in self.root.glob(f"*{LOCK}") if lock.with_suffix("").is_dir()]
        for lock in sorted(locks, key=lambda lock: lock.stat().st_mtime):
            if used(self.root) <= budget:
                return
            if lock.stem != spared and (descriptor := self._try(lock.stem, fcntl.LOCK_EX)) is not None:
                self._remove(lock.with_suffix(""))
                os.close(descriptor)

    def _wait(self, name: str) -> int:
        """A lock that nobody else holds."""
        descriptor = self._open(name)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def _try(self, name: str, how: int) -> int | None:
        """A lock, if it can be had at once."""
        descriptor = self._open(name)
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _open(self, name: str) -> int:
        return os.open(self.root / f"{name}{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _remove(self, path: Path) -> None:
        """Out of sight at once, then file by file."""
        gone = self.root / f"{BUILDING}{uuid4().hex}"
        if path.is_dir():
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def used(folder: Path) -> int:
    """The bytes of a folder; a file that is in it twice counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(f"{place}/{name}")
            except FileNotFoundError:
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total
