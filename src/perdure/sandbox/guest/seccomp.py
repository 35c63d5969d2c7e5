"""The filter of system calls, as a BPF program built here: what no job needs is refused.

A list of what is refused, on top of namespaces or Landlock, which do the main work: it takes away ways into
the kernel's less tried parts, and what neither of the two covers (hypervisor sockets, files in memory that no
limit counts, other processes of the same user).
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .linux import PR_SET_DUMPABLE, PR_SET_SECCOMP, libc, prctl
from .numbers import NEWEST, numbers

_LOAD, _EQUAL, _GREATER, _SET, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_MODE_FILTER = 2

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
_NEW_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX, _TIOCSETD = 0x5412, 0x541C, 0x5423
_PR_SET_PTRACER, _PR_SET_MM = 0x59616D61, 35
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
_PERSONALITY_LINUX, _PERSONALITY_ASKED = 0, 0xFFFFFFFF

REFUSED = [
    "bpf",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    "perf_event_open",
    "userfaultfd",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_getfd",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "open_tree_attr",
    "statmount",
    "listmount",
    "unshare",
    "setns",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "fanotify_mark",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "get_kernel_syms",
    "query_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "modify_ldt",
    "lookup_dcookie",
    "nfsservctl",
    "vhangup",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "vmsplice",
    "remap_file_pages",
    "mbind",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "migrate_pages",
    "move_pages",
    "shmget",
    "shmat",
    "msgget",
    "semget",
    "mq_open",
    "memfd_secret",
    "seccomp",
]
# Programs try these and fall back to older ones when they do not exist.
ABSENT = ("clone3", "memfd_create")
# What changes files that are found by a path, which Landlock does not look at. Told as done: copying a file
# copies its mode, too, and must not fail for that.
_ATTRIBUTES = [
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utime",
    "utimes",
    "futimesat",
    "utimensat",
    "file_setattr",
]
_EXTENDED = [
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "setxattrat",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "removexattrat",
]
_OTHERS = ("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr")


@dataclass(frozen=True, slots=True)
class Test:
    """Something about an argument's lower half: it equals one of `values` under `mask`, or has `bits`."""

    argument: int
    values: tuple[int, ...] = ()
    bits: int = 0
    mask: int = 0
    refuse_if: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a system call: refused with `error` (0: told as done), or only where `test` says so."""

    name: str
    error: int = errno.EPERM
    test: Test | None = None


def rules(
    *, sockets: Iterable[int] = (AF_UNIX,), files_by_path: bool = True, signal_only: int = 0
) -> list[Rule]:
    """The rules of a job.

    `sockets` are the address families it may open. Without `files_by_path`, files and processes outside are
    protected by Landlock alone, so what that does not look at is refused here. `signal_only` is the one
    process and process group it may signal, where Landlock cannot say so.
    """
    found = [Rule(name) for name in REFUSED]
    found += [Rule(name, errno.ENOSYS) for name in ABSENT]
    found += [
        Rule("clone", test=Test(0, bits=_NEW_NAMESPACES)),
        Rule("ioctl", test=Test(1, values=(_TIOCSTI, _TIOCLINUX, _TIOCSETD))),
        Rule("prctl", test=Test(0, values=(PR_SET_DUMPABLE, _PR_SET_PTRACER, _PR_SET_MM))),
        Rule("personality", test=Test(0, values=(_PERSONALITY_LINUX, _PERSONALITY_ASKED), refuse_if=False)),
        Rule("socket", errno.EAFNOSUPPORT, Test(0, values=tuple(sockets), refuse_if=False)),
        Rule("socketpair", errno.EAFNOSUPPORT, Test(0, values=(AF_UNIX,), refuse_if=False)),
    ]
    if not files_by_path:
        found += _for_landlock()
    if signal_only:
        found += _signals(signal_only)
    return found


def _for_landlock() -> Iterator[Rule]:
    yield from (Rule(name, 0) for name in _ATTRIBUTES)
    yield from (Rule(name, errno.EOPNOTSUPP) for name in _EXTENDED)
    yield from (Rule(name, test=Test(0, values=(0,), refuse_if=False)) for name in _OTHERS)
    yield from (Rule(name) for name in ("truncate", "inotify_add_watch", "ioprio_set"))
    yield Rule("setpriority", test=Test(1, values=(0,), refuse_if=False))
    yield Rule("openat2", errno.ENOSYS)
    # Emptying a file needs no right to write for a reader who truncates; older Landlocks overlook it.
    for name, flags in (("open", 1), ("openat", 2)):
        yield Rule(name, test=Test(flags, values=(_O_TRUNC,), mask=_O_TRUNC | _O_ACCMODE))


def _signals(leader: int) -> Iterator[Rule]:
    own = Test(0, values=(0, leader, -leader & 0xFFFFFFFF), refuse_if=False)
    yield Rule("kill", test=own)
    for name in ("tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
        yield Rule(name, test=Test(0, values=(leader,), refuse_if=False))
    yield from (Rule(name) for name in ("tkill", "pidfd_send_signal"))


def program(given: Iterable[Rule], machine: str) -> bytes:
    """The rules as a BPF program for a machine (`x86_64`, `aarch64`)."""
    known = numbers(machine)
    code = [_op(_LOAD, _ARCH), _op(_EQUAL, _AUDIT[machine], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, _NUMBER)]
    if machine == "x86_64":
        code += [_op(_GREATER, _X32 - 1, 0, 1), _op(_RETURN, _KILL)]
    code += [_op(_GREATER, NEWEST, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    given = [rule for rule in given if rule.name in known]
    for error in dict.fromkeys(rule.error for rule in given if not rule.test):
        code += _refused([known[rule.name] for rule in given if rule.error == error and not rule.test], error)
    for rule in given:
        if rule.test:
            body = _body(rule.test, _op(_RETURN, _ERRNO | rule.error))
            code += [_op(_EQUAL, known[rule.name], 0, len(body)), *body]
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _refused(calls: Sequence[int], error: int) -> Iterator[bytes]:
    """Calls that are refused whatever their arguments are; all jump to one verdict (250 can)."""
    last = len(calls) - 1
    for place, number in enumerate(calls):
        yield _op(_EQUAL, number, last - place, int(place == last))
    yield _op(_RETURN, _ERRNO | error)


def _body(test: Test, refuse: bytes) -> list[bytes]:
    """What is done with a call whose arguments matter; always ends in a verdict."""
    hit, miss = (refuse, _op(_RETURN, _ALLOW)) if test.refuse_if else (_op(_RETURN, _ALLOW), refuse)
    body = [_op(_LOAD, _ARGUMENTS + 8 * test.argument)]
    if test.mask:
        body.append(_op(_AND, test.mask))
    if test.bits:
        return [*body, _op(_SET, test.bits, 0, 1), hit, miss]
    count = len(test.values)
    body += [_op(_EQUAL, value, count - index, 0) for index, value in enumerate(test.values)]
    return [*body, miss, hit]


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(code: bytes) -> None:
    """Filter this process and what comes of it from now on; needs `linux.gain_nothing`."""
    given = _Program(len(code) // 8, code)
    prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(given))


def is_supported() -> bool:
    """Whether this machine has a table of numbers and its kernel filters."""
    mode = libc.prctl(21, 0, 0, 0, 0)  # PR_GET_SECCOMP
    return os.uname().machine in _AUDIT and mode in (0, _MODE_FILTER)
