"""The files that a job leaves to be brought back; read when none of its processes lives any more."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_DEPTH, MAX_FILES = 16, 256
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Files:
    """What was kept: contents one after the other in a file in memory, names with sizes; bytes left out."""

    descriptor: int
    listing: list[tuple[str, int]]
    left_out: int


def files(folder: str, patterns: Sequence[str], most: int) -> Files:
    """The regular files whose path below the folder fits a pattern (`*` spans folders), up to `most` bytes.

    No link is followed, so nothing outside can be named.
    """
    kept, listing, total, left_out = _memory(folder), list[tuple[str, int]](), 0, 0
    for name, parent in _walk(folder):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            continue
        try:
            source = os.open(os.path.basename(name), _FILE, dir_fd=parent)
        except OSError:  # a link, or not to be read
            continue
        try:
            state = os.fstat(source)
            if not stat.S_ISREG(state.st_mode):
                continue
            if total + state.st_size > most or len(listing) >= MAX_FILES:
                left_out += state.st_size
                continue
            size = _copy(source, kept, most - total)
            total += size
            listing.append((name, size))
        finally:
            os.close(source)
    return Files(kept, listing, left_out)


def _walk(folder: str) -> Iterator[tuple[str, int]]:
    """Each entry that is no folder: its path, and the descriptor of the folder it is in."""
    waiting = [("", os.open(folder, _FOLDER), 0)]
    while waiting:
        prefix, descriptor, depth = waiting.pop()
        try:
            with os.scandir(descriptor) as entries:
                found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
            for name, is_folder in found:
                if not _is_text(name):
                    continue
                if not is_folder:
                    yield prefix + name, descriptor
                elif depth < MAX_DEPTH and len(waiting) < MAX_FILES:
                    try:
                        below = os.open(name, _FOLDER, dir_fd=descriptor)
                    except OSError:
                        continue
                    waiting.append((f"{prefix}{name}/", below, depth + 1))
        finally:
            os.close(descriptor)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _copy(source: int, target: int, most: int) -> int:
    copied = 0
    while copied < most and (chunk := os.read(source, min(1 << 20, most - copied))):
        copied += os.write(target, chunk)
    return copied


def _memory(folder: str) -> int:
    """A file without a name: in memory, or where that is refused, in the folder."""
    try:
        return os.memfd_create("kept")
    except OSError:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
