"""Copies of a SQLite file, made while it may be in use."""

import sqlite3
from contextlib import closing
from pathlib import Path

from perdure.kit.clock import now
from perdure.kit.errors import Conflict

PATTERN = "perdure-*.db"


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of the database at `source`; appears under its name only when complete."""
    if target.exists():
        raise Conflict(f"{target} exists; name a new file.")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(unfinished)) as copy:
        original.backup(copy)
    unfinished.rename(target)


def keep_copy(source: Path, folder: Path, keep: int) -> Path | None:
    """A dated copy in `folder`, where the newest `keep` stay; None when there is nothing to copy."""
    if keep == 0 or not source.exists() or source.stat().st_size == 0:
        return None
    target = folder / f"perdure-{now():%Y%m%dT%H%M%S.%f}.db"
    copy_sqlite(source, target)
    for old in sorted(folder.glob(PATTERN))[:-keep]:
        old.unlink()
    return target
