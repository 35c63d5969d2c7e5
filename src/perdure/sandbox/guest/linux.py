"""System calls that Python's library has no function for."""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}

libc = ctypes.CDLL(None, use_errno=True)
# What each child calls is looked up and described once, for all of them.
_word = ctypes.c_ulong
_mount, _prctl = libc.mount, libc.prctl
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, _word, ctypes.c_char_p)
_prctl.argtypes = (ctypes.c_int, _word, _word, _word, _word)
_unshare, _setns, _umount, _syscall = libc.unshare, libc.setns, libc.umount2, libc.syscall
_VERSION_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


def check(result: int, what: str) -> int:
    """The result of a system call; raises OSError when it failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """A system call by its number."""
    return check(_syscall(number, *arguments), f"system call {number}")


def unshare(flags: int) -> None:
    """Leave the namespaces of these flags for new ones."""
    check(_unshare(flags), "unshare")


def setns(descriptor: int, flags: int) -> None:
    """Into a namespace that is open; a new one for processes is for children only."""
    check(_setns(descriptor, flags), "setns")


def isolate() -> None:
    """Into namespaces of one's own, where a process that had no rights at all may mount."""
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET)
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount a file system, or bind a folder."""
    words = (source.encode(), target.encode(), kind and kind.encode(), flags, data and data.encode())
    check(_mount(*words), f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount away as soon as nobody uses it any more."""
    check(_umount(target.encode(), MNT_DETACH), f"unmount {target}")


def prctl(option: int, *arguments: int) -> int:
    """Something about this process."""
    return check(_prctl(option, *(*arguments, 0, 0, 0, 0)[:4]), f"prctl {option}")


def gain_nothing() -> None:
    """Have no executed file ever give a capability or another right."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(64):
        if _prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Hold no capability any more; after `gain_nothing`."""
    syscall(_SYS_CAPSET[os.uname().machine], _VERSION_3, _NO_CAPABILITIES)
