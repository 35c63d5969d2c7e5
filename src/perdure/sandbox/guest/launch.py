"""The script that stands before a zygote's command when the server is root: `launch.py UID HIDDEN COMMAND…`.

Becomes an unprivileged user and executes the command. `HIDDEN` are paths (JSON) below folders that only root
may enter, such as an interpreter in root's home: in a mount namespace of this process alone they are put back
at the same place, below an empty folder that all may enter.
"""

import ctypes
import json
import os
import sys
from collections.abc import Sequence

_NEWNS, _BIND, _REC, _PRIVATE, _NOSUID, _NODEV = 0x20000, 0x1000, 0x4000, 1 << 18, 2, 4
_libc = ctypes.CDLL(None, use_errno=True)


def main(user: int, hidden: Sequence[str], command: Sequence[str]) -> None:
    """Never returns."""
    os.umask(0o022)  # the server's own keeps others out of what is made here
    if hidden:
        reveal([os.path.realpath(path) for path in hidden])
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.execv(command[0], list(command))


def reveal(paths: Sequence[str]) -> None:
    """Make these paths reachable for everybody, in this process and what comes of it."""
    _check(_libc.unshare(_NEWNS), "unshare")
    _mount("none", "/", None, _REC | _PRIVATE)
    opened = {path: os.open(path, os.O_PATH) for path in sorted(paths)}
    for folder in dict.fromkeys(_closed_above(path) for path in opened):
        if folder:
            _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, "mode=0755")
    for path, number in opened.items():
        if os.path.exists(path):
            continue
        source = f"/proc/self/fd/{number}"
        if os.path.isdir(source):
            os.makedirs(path)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        _mount(source, path, None, _BIND | _REC)


def _closed_above(path: str) -> str | None:
    """The uppermost folder above that others may not enter."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        folder = "/".join(parts[:end]) or "/"
        if not os.stat(folder).st_mode & 0o1:
            return folder
    return None


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    given = None if data is None else data.encode()
    _check(_libc.mount(*words, ctypes.c_ulong(flags), given), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:])
