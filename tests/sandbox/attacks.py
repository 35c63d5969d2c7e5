"""The attacks that every sandbox must hold, as data.

The code of each is a function `attack(world)` that nobody vouches for. It returns what it got hold of: anything
true is a breach, nothing or an OSError means that it held. `world` names what there is to be had (`Told` of
`conformance.py`). Where the outcome itself tells, `held` reads that instead. `before` runs first, as a call of
its own; `beside` runs at the same time and goes on until the attack is over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perdure.sandbox.base import Limits, MiB, Outcome

COMMON = """
import ctypes, errno, os, socket, struct, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
REFUSED = (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EACCES)

def got(make):
    try:
        return make()
    except OSError:
        return None

def read(path):
    with open(path, errors="replace") as file:
        return file.read()

def reached(*call):
    "Whether a system call got further than to a refusal."
    ctypes.set_errno(0)
    return libc.syscall(*call) >= 0 or ctypes.get_errno() not in REFUSED

def others(world):
    "Processes outside; with a numbering of our own, those that have such a number are ours."
    own = processes() if os.getpid() == 1 or world['alone'] else []
    return [pid for pid in (world['server'], world['victim'], os.getppid()) if pid and pid not in own]

def processes():
    return [int(name) for name in got(lambda: os.listdir("/proc")) or () if name.isdigit()]
"""


LIMITS = Limits(wall_seconds=8.0, cpu_seconds=6)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attempt, and what having held it means."""

    name: str
    code: str
    held: Callable[[Outcome], bool] | None = None
    before: str | None = None
    beside: str | None = None
    limits: Limits = LIMITS
    keep: Sequence[str] = ()


def syscall(name: str, x86: int, arm: int, *arguments: str) -> Attack:
    """A system call that must be refused before the kernel looks at its arguments."""
    given = ", ".join(arguments or ("0", "0", "0", "0", "0"))
    return Attack(
        f"the system call {name}", f"def attack(world): return reached({x86} if X86 else {arm}, {given})"
    )


def _ended(*reasons: str | None) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.killed in reasons


FILES = [
    Attack("passwords", "def attack(world): return read('/etc/shadow')"),
    Attack("the server's home", "def attack(world): return os.listdir(world['home'])"),
    Attack("the server's key ring", "def attack(world): return read(world['keys'])"),
    Attack("the server's database", "def attack(world): return read(world['database'])"),
    Attack("writing to the server's database", "def attack(world): return open(world['database'], 'r+')"),
    Attack(
        "emptying the server's database",
        "def attack(world): os.open(world['database'], os.O_RDONLY | os.O_TRUNC)",
    ),
    Attack(
        "truncating the server's database",
        "def attack(world): got(lambda: os.truncate(world['database'], 0))",
    ),
    Attack("deleting the server's database", "def attack(world): os.unlink(world['database'])"),
    Attack(
        "renaming the server's database",
        "def attack(world): os.rename(world['database'], world['database'] + '2')",
    ),
    Attack(
        "linking to the server's database",
        "def attack(world): os.link(world['database'], 'x'); return read('x')",
    ),
    Attack(
        "modes and times of the server's files",
        """
def attack(world):
    for act in (lambda: os.chmod(world['database'], 0), lambda: os.utime(world['database'], (1, 1)),
                lambda: os.chown(world['database'], 1, 1), lambda: os.setxattr(world['database'], 'user.x', b'1')):
        got(act)
""",
    ),
    Attack(
        "root's home",
        "def attack(world): return [name for name in os.listdir('/root') if name != '.pyenv']",
    ),
    Attack(
        "the system's /tmp",
        "def attack(world): return [name for name in os.listdir('/tmp') if name.startswith(world['marker'])]",
    ),
    Attack(
        "writing outside of the working folder",
        """
def attack(world):
    places = ('/', '/usr', '/usr/lib', '/etc', '/dev', '/packages', '/sandbox', '/var/tmp', '/home', '/root', world['home'])
    return [place for place in places if got(lambda: open(f'{place}/perdure-breach', 'w'))]
""",
    ),
    Attack(
        "writing into the packages", "import pydantic\ndef attack(world): return open(pydantic.__file__, 'a')"
    ),
    Attack("writing into Python", "import json\ndef attack(world): return open(json.__file__, 'a')"),
    Attack(
        "devices",
        """
def attack(world):
    found = [path for path in ('/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda', '/dev/kvm', '/dev/fuse', '/dev/net/tun')
             if got(lambda: os.open(path, os.O_RDONLY))]
    if got(lambda: os.mknod('disk', 0o60600, os.makedev(254, 0)) or True):
        found.append('mknod')
    return found
""",
    ),
    Attack(
        "the kernel's settings",
        """
def attack(world):
    paths = ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/kernel/hostname', '/proc/sys/vm/drop_caches',
             '/proc/sys/user/max_user_namespaces', '/sys/kernel/uevent_helper', '/proc/self/uid_map')
    return [path for path in paths if got(lambda: os.open(path, os.O_WRONLY)) is not None
            and path != '/proc/self/uid_map']
""",
    ),
    Attack(
        "control groups",
        """
import glob
def attack(world):
    return [path for path in glob.glob('/sys/fs/cgroup/**/cgroup.procs', recursive=True) if got(lambda: open(path, 'w'))]
""",
    ),
    Attack(
        "inotify in the server's home",
        """
def attack(world):
    number = libc.inotify_init()
    return libc.inotify_add_watch(number, world['home'].encode(), 0x2) >= 0
""",
    ),
]

SECRETS = [
    Attack(
        "the server's environment",
        """
def attack(world):
    own = [pid for pid in ('self', *processes())
           if world['secret'] in (got(lambda: read(f'/proc/{pid}/environ')) or '')]
    return own or world['secret'] in str(os.environ)
""",
    ),
    Attack(
        "other processes' memory",
        """
def attack(world):
    return [pid for pid in others(world) if got(lambda: open(f'/proc/{pid}/mem', 'rb')) or got(lambda: open(f'/proc/{pid}/maps'))]
""",
    ),
    Attack(
        "command lines of other processes",
        """
def attack(world):
    return [pid for pid in processes() if world['marker'] in (got(lambda: read(f'/proc/{pid}/cmdline')) or '')]
""",
    ),
    Attack(
        "open files of other processes",
        """
def attack(world):
    return [pid for pid in others(world) if got(lambda: os.listdir(f'/proc/{pid}/fd'))]
""",
    ),
    Attack(
        "descriptors that were left open",
        """
def attack(world):
    return [n for n in range(1024) if n not in world["descriptors"] and got(lambda: os.fstat(n))]
""",
    ),
    Attack(
        "another call's environment, files and output",
        """
def attack(world):
    found = []
    for pid in processes():
        for name in ('environ', 'cwd/private.txt', 'root/work/private.txt', 'fd/1'):
            waits = name == 'fd/1' and (world['alone'] or pid == os.getpid())
            text = None if waits else got(lambda: read(f'/proc/{pid}/{name}'))
            if text and 'beside-' in text:
                found.append(f'{pid}/{name}')
    above = '..' if os.path.realpath('..') != '/' else '.'
    for place in ('.', above, '/tmp', '/work', '/dev/shm', '/call'):
        for folder, _, names in os.walk(place):
            found += [name for name in names if 'beside-' in (got(lambda: read(os.path.join(folder, name))) or '')]
    return found
""",
        beside="""
def attack(world):
    open('private.txt', 'w').write('beside-' + 'secret')
    print('beside-' + 'secret', flush=True)
    time.sleep(60)
""",
    ),
    Attack(
        "a socket of another call",
        """
def attack(world):
    time.sleep(0.3)
    with socket.socket(socket.AF_UNIX) as one:
        one.connect('\\0perdure-beside')
        return True
""",
        beside="""
def attack(world):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind('\\0perdure-beside')
        one.listen()
        one.accept()
""",
    ),
]

NETWORK = [
    Attack(
        "a local port", "def attack(world): return socket.create_connection(('127.0.0.1', world['port']), 2)"
    ),
    Attack(
        "a local port by IPv6",
        "def attack(world): return socket.create_connection(('::1', world['port']), 2)",
    ),
    Attack("another host", "def attack(world): return socket.create_connection(('192.0.2.1', 80), 1)"),
    Attack(
        "datagrams",
        """
def attack(world):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b'x', ('127.0.0.1', world['port']))
""",
    ),
    Attack(
        "a unix socket",
        """
def attack(world):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(world['unix'])
        return True
""",
    ),
    Attack(
        "an abstract unix socket",
        """
def attack(world):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect('\\0' + world['abstract'])
        return True
""",
    ),
    *[
        Attack(
            f"sockets of the family {name}",
            f"def attack(world): return got(lambda: socket.socket({number}, {kind}))",
        )
        for name, number, kind in (
            ("vsock", 40, 1),
            ("netlink", 16, 3),
            ("packet", 17, 3),
            ("bluetooth", 31, 3),
            ("alg", 38, 5),
            ("xdp", 44, 3),
            ("raw", 2, 3),
        )
    ],
]

PROCESSES = [
    Attack(
        "signals to the server",
        """
def attack(world):
    return [pid for pid in others(world) if got(lambda: os.kill(pid, 0) or True)]
""",
    ),
    Attack(
        "killing all there is",
        """
import signal
def attack(world):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for pid in (-1, *others(world)):
        got(lambda: os.kill(pid, signal.SIGSTOP))
        got(lambda: os.kill(pid, signal.SIGKILL))
""",
    ),
    Attack(
        "a descriptor of another process",
        """
def attack(world):
    for pid in others(world):
        handle = got(lambda: os.pidfd_open(pid))
        if handle is not None and (libc.syscall(424, handle, 0, None, 0) >= 0 or libc.syscall(438, handle, 0, 0) >= 0):
            return pid
""",
    ),
    Attack(
        "limits and priorities of other processes",
        """
import resource
def attack(world):
    acts = (lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1)), lambda pid: os.setpriority(0, pid, 19),
            lambda pid: os.sched_setaffinity(pid, {0}), lambda pid: os.sched_setscheduler(pid, 3, os.sched_param(0)))
    return [pid for pid in others(world) for act in acts if got(lambda: (act(pid), True))]
""",
    ),
    syscall("ptrace", 101, 117, "16", "1", "0", "0"),
    syscall("process_vm_readv", 310, 270, "1", "0", "0", "0", "0", "0"),
    syscall("process_vm_writev", 311, 271, "1", "0", "0", "0", "0", "0"),
    syscall("kcmp", 312, 272, "1", "1", "0", "0", "0"),
    syscall("process_madvise", 440, 440),
]

RIGHTS = [
    Attack(
        "capabilities",
        """
def attack(world):
    for pid in ('self',):
        lines = dict(line.split(':', 1) for line in (got(lambda: read(f'/proc/{pid}/status')) or '').splitlines())
        held = [name for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb') if int(lines.get(name, '0'), 16)]
        if lines and (held or lines['NoNewPrivs'].strip() != '1' or lines['Seccomp'].strip() != '2'):
            return held or lines
""",
    ),
    Attack("being root", "def attack(world): return os.getuid() == 0 or got(lambda: os.setuid(0) or True)"),
    Attack("another group", "def attack(world): return got(lambda: os.setgroups([0]) or True)"),
    Attack(
        "higher limits",
        """
import resource
def attack(world):
    for kind in (resource.RLIMIT_NPROC, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
        try:
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            return True
        except (ValueError, OSError):
            pass
""",
    ),
    *[
        Attack(f"a namespace {name}", f"def attack(world): return libc.unshare({flag}) == 0")
        for name, flag in (
            ("of users", 0x10000000),
            ("of mounts", 0x20000),
            ("of processes", 0x20000000),
            ("of networks", 0x40000000),
            ("of control groups", 0x2000000),
            ("of time", 0x80),
        )
    ],
    Attack(
        "a process in a namespace of users",
        """
def attack(world):
    pid = libc.syscall(56 if X86 else 220, 0x10000000 | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid > 0
""",
    ),
    Attack(
        "entering a namespace",
        """
def attack(world):
    return [name for name in ('user', 'mnt', 'pid', 'net') if (number := got(lambda: os.open(f'/proc/1/ns/{name}', os.O_RDONLY)))
            and libc.setns(number, 0) == 0]
""",
    ),
    syscall("clone3", 435, 435, "0", "88"),
    syscall("mount", 165, 40),
    syscall("umount", 166, 39),
    syscall("pivot_root", 155, 41),
    syscall("chroot", 161, 51),
    syscall("open_tree", 428, 428),
    syscall("move_mount", 429, 429),
    syscall("fsopen", 430, 430),
    syscall("mount_setattr", 442, 442),
    syscall("open_by_handle_at", 304, 265),
    syscall("name_to_handle_at", 303, 264),
    syscall("bpf", 321, 280, "0", "0", "0"),
    syscall("io_uring_setup", 425, 425),
    syscall("io_uring_enter", 426, 426),
    syscall("io_uring_register", 427, 427),
    syscall("keyctl", 250, 219, "0", "-3", "0"),
    syscall("add_key", 248, 217),
    syscall("request_key", 249, 218),
    syscall("perf_event_open", 298, 241),
    syscall("userfaultfd", 323, 282),
    syscall("fanotify_init", 300, 262),
    syscall("memfd_create", 319, 279, "b'x'", "0"),
    syscall("memfd_secret", 447, 447),
    syscall("pidfd_getfd", 438, 438),
    syscall("shmget", 29, 194, "0", "4096", "0o1600"),
    syscall("msgget", 68, 186, "0", "0o1600"),
    syscall("semget", 64, 190, "0", "1", "0o1600"),
    syscall("init_module", 175, 105),
    syscall("finit_module", 313, 273),
    syscall("kexec_load", 246, 104),
    syscall("reboot", 169, 142),
    syscall("swapon", 167, 224),
    syscall("acct", 163, 89),
    syscall("syslog", 103, 116),
    syscall("settimeofday", 164, 170),
    syscall("personality", 135, 92, "0x0040000"),
    syscall("vmsplice", 278, 75),
    syscall("move_pages", 279, 239),
    syscall("seccomp", 317, 277),
    syscall("a number that is not known yet", 600, 600),
    Attack(
        "system calls in the x32 way",
        "def attack(world): return X86 and libc.syscall(0x40000000 | 39) > 0",
        held=lambda outcome: outcome.value in (False, None),
    ),
    Attack(
        "system calls in the 32-bit way",
        """
import mmap
def attack(world):
    if not X86:
        return
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex('53b814000000cd805bc3'))
    start = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(start)() > 0
""",
        held=lambda outcome: outcome.value in (False, None),
    ),
    Attack(
        "typing into a terminal",
        """
import fcntl
def attack(world):
    try:
        leader, follower = os.openpty()
    except OSError:
        return None
    fcntl.ioctl(follower, 0x5412, b'x')
    return True
""",
    ),
    Attack("the controlling terminal", "def attack(world): return os.open('/dev/tty', os.O_RDWR)"),
    Attack("being seen as undumpable", "def attack(world): return libc.prctl(4, 0, 0, 0, 0) == 0"),
]

EXHAUSTION = [
    Attack(
        "a fork bomb",
        """
def attack(world):
    for count in range(600):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        except OSError:
            return count if count > 40 else None
    return 600
""",
        held=lambda outcome: not outcome.value,
    ),
    Attack(
        "a fork bomb of forks",
        "def attack(world):\n    while True:\n        got(os.fork)",
        held=_ended("time", "cpu", "crash", None),
        limits=Limits(wall_seconds=1.5, cpu_seconds=6),
    ),
    Attack(
        "threads without end",
        """
def attack(world):
    count = 0
    try:
        for count in range(600):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    except RuntimeError:
        return count if count > 40 else None
    return count
""",
        held=lambda outcome: not outcome.value,
    ),
    Attack(
        "memory in one process",
        "def attack(world): return len(bytearray(10 << 30))",
        held=lambda outcome: outcome.killed == "memory" or (outcome.error or "").startswith("MemoryError"),
    ),
    Attack(
        "memory in thirty processes",
        """
def attack(world):
    reading, writing = os.pipe()
    for _ in range(30):
        try:
            if os.fork() == 0:
                piece = b'x' * (100 << 20)
                os.write(writing, b'.')
                time.sleep(20)
                os._exit(0)
        except OSError:
            break
    os.close(writing)
    count = 0
    while os.read(reading, 1):
        count += 1
        if count > 8:
            return count
""",
        limits=Limits(wall_seconds=10.0, cpu_seconds=9, processes=40),
        held=lambda outcome: outcome.killed == "memory" or not outcome.value,
    ),
    Attack(
        "memory in files",
        """
def attack(world):
    total = 0
    for place in ('.', '/dev/shm', '/tmp'):
        for count in range(100):
            try:
                with open(f'{place}/{count}', 'wb') as file:
                    for _ in range(16):
                        file.write(b'x' * (1 << 20))
                        total += 1
            except OSError:
                break
    return total if total > 200 else None
""",
        held=lambda outcome: outcome.killed == "memory" or not outcome.value,
    ),
    Attack(
        "files that are deleted while they are open",
        """
def attack(world):
    held = []
    try:
        for count in range(120):
            held.append(open(f'{count}', 'wb', buffering=0))
            os.unlink(f'{count}')
            for _ in range(16):
                held[-1].write(b'x' * (1 << 20))
    except OSError:
        pass
    return len(held) if len(held) > 20 else None
""",
        held=lambda outcome: outcome.killed == "memory" or not outcome.value,
    ),
    Attack(
        "a huge file",
        """
def attack(world):
    try:
        with open('huge', 'wb') as file:
            for _ in range(2048):
                file.write(b'x' * (1 << 20))
    except OSError:
        pass
    return os.path.getsize('huge') > (65 << 20)
""",
    ),
    Attack(
        "a huge file with a hole",
        "def attack(world):\n    with open('huge', 'wb') as file: file.truncate(1 << 32)\n    return True",
    ),
    Attack(
        "files without end",
        """
def attack(world):
    for count in range(200000):
        try:
            open(f'{count}', 'w').close()
        except OSError:
            return count if count > 50000 else None
    return True
""",
        held=lambda outcome: outcome.killed in ("memory", "cpu", "time") or not outcome.value,
    ),
    Attack(
        "an endless loop",
        "def attack(world):\n    while True: pass",
        held=_ended("time"),
        limits=Limits(wall_seconds=1.0),
    ),
    Attack(
        "an endless loop of the processor",
        "def attack(world):\n    while True: pass",
        held=_ended("cpu"),
        limits=Limits(wall_seconds=20.0, cpu_seconds=1),
    ),
    Attack(
        "processor time in many processes",
        "def attack(world):\n    for _ in range(3): os.fork()\n    while True: pass",
        held=_ended("cpu"),
        limits=Limits(wall_seconds=20.0, cpu_seconds=1),
    ),
    Attack(
        "output without end",
        "def attack(world):\n    while True: print('x' * 10000)",
        held=lambda outcome: (
            outcome.killed in ("time", "cpu") and len(outcome.stdout) <= MiB and outcome.dropped > 0
        ),
        limits=Limits(wall_seconds=2.0, cpu_seconds=6),
    ),
    Attack(
        "sleeping on",
        "def attack(world):\n    for n in range(5): got(lambda: os.close(n))\n    time.sleep(60)",
        held=_ended("time"),
        limits=Limits(wall_seconds=1.0),
    ),
    Attack(
        "ignoring all signals",
        """
import signal
def attack(world):
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True: time.sleep(1)
""",
        held=_ended("time"),
        limits=Limits(wall_seconds=1.0),
    ),
]

REMAINS = [
    Attack(
        "a survivor",
        """
def attack(world):
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv('/usr/bin/sleep', ['sleep', '98765', ] if False else [world['marker'], '98765'])
            os._exit(0)
    time.sleep(0.2)
""",
    ),
    Attack(
        "a survivor that holds the outputs",
        """
def attack(world):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
    return None
""",
        held=lambda outcome: outcome.status == "success" and outcome.seconds < 6,
    ),
    Attack(
        "what the call before left",
        """
import glob, json
def attack(world):
    found = [place for place in ('.', '/tmp', '/dev/shm', '/work', '/var/tmp') if os.path.exists(f'{place}/left')]
    return found or hasattr(json, 'left') or 'left' in sys.modules or 'LEFT' in os.environ
""",
        before="""
import json
def attack(world):
    json.left = sys.modules['left'] = json
    os.environ['LEFT'] = '1'
    for place in ('.', '/tmp', '/dev/shm', '/work', '/var/tmp'):
        got(lambda: open(f'{place}/left', 'w'))
""",
    ),
    Attack(
        "memory of the call before",
        """
import re
def attack(world):
    "Everything near Python's objects and the heap, as far as it can be read."
    libc.sbrk.restype = ctypes.c_void_p
    heap, reading_end = libc.sbrk(0), os.pipe()
    os.set_blocking(reading_end[1], False)
    found = []
    for begin, end in ((heap - (8 << 20), heap), (id(found) - (8 << 20), id(found) + (8 << 20))):
        page, before = begin & ~4095, b''
        while page < end:
            size = libc.write(reading_end[1], ctypes.c_void_p(page), 4096)
            here = os.read(reading_end[0], size) if size > 0 else b''
            found += re.findall(b'[ -~]*quetzal[-]remains[ -~]*', before[-64:] + here)
            page, before = page + 4096, here
    return [text.decode() for text in found]
""",
        before="""
def attack(world):
    print('quetzal-remains printed')
    open('quetzal-remains of a file', 'w').close()
    libc.prctl(15, b'quetzal-remains', 0, 0, 0)
    if os.fork() == 0:
        with open('quetzal-remains without a name', 'w') as file:
            file.write('quetzal-remains')
            os.unlink(file.name)
            time.sleep(60)
    time.sleep(0.2)
    os.unlink('quetzal-remains of a file')
    return 'quetzal-remains returned'
""",
    ),
]

LIES = [
    Attack(
        f"{name} in the place of the result",
        f"def attack(world):\n    {act}\n    os._exit(0)",
        held=lambda outcome: outcome.status == "error",
    )
    for name, act in (
        ("garbage", "os.write(4, os.urandom(50000) + b'\\n')"),
        ("nothing", "os.close(4)"),
        ("a list", "os.write(4, b'[1]\\n')"),
        ("half a line", "os.write(4, b'{\"value\": ')"),
        ("too many fields", 'os.write(4, b\'{"value": 1, "files": {}}\\n\')'),
        ("an error that is none", "os.write(4, b'{\"error\": 7}\\n')"),
        ("a deep list", "os.write(4, b'{\"value\":' + b'[' * 60000 + b'\\n')"),
        ("a number that is none", "os.write(4, b'{\"value\": NaN}\\n')"),
        ("a hundred megabytes", "[os.write(4, b'x' * (1 << 20)) for _ in range(100)]"),
    )
] + [
    Attack(
        "links in files to be brought back",
        """
def attack(world):
    os.symlink('/etc/passwd', 'a.txt')
    os.symlink('/etc', 'folder')
    os.symlink(world['database'], 'b.txt')
    os.symlink('/proc/self/environ', 'c.txt')
    os.mkfifo('d.txt')
    os.makedirs('x/y')
    os.symlink('../..', 'x/y/up')
    open('kept.txt', 'w').write('kept')
""",
        keep=("*",),
        held=lambda outcome: dict(outcome.files) == {"kept.txt": b"kept"},
    ),
    Attack(
        "too many files to be brought back",
        """
def attack(world):
    for n in range(400):
        open(f'{n}.txt', 'w').write('kept')
    os.makedirs('/'.join('d' * 60))
    open('/'.join('d' * 60) + '/deep.txt', 'w').write('x')
""",
        keep=("*.txt",),
        limits=Limits(wall_seconds=30.0),
        held=lambda outcome: outcome.status == "success" and 0 < len(outcome.files) <= 256,
    ),
]

ATTACKS = [*FILES, *SECRETS, *NETWORK, *PROCESSES, *RIGHTS, *EXHAUSTION, *REMAINS, *LIES]
