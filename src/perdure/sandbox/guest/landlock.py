"""Landlock: this process and what comes of it reach the named files, and nothing else."""

import ctypes
import os
from collections.abc import Iterable

from .linux import libc, syscall

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
_READ = 0b1101  # execute, read files, read folders
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_ON_FILES = 0b111 | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl
_NETWORK = 0b11  # bind and connect TCP, since 4
_SCOPES = 0b11  # abstract unix sockets and signals, since 6
SIGNALS_SINCE = 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Which version of Landlock the kernel speaks; 0 for none."""
    return max(0, libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1))


def restrict(readable: Iterable[str], writable: Iterable[str], abi: int, *, tcp: bool = False) -> None:
    """Reach no file but these, no process outside, and no TCP unless told; needs `linux.gain_nothing`."""
    handled = _ALL_BY_ABI[max(known for known in _ALL_BY_ABI if known <= abi)]
    rules = _Ruleset(handled, _NETWORK if abi >= 4 and not tcp else 0, _SCOPES if abi >= SIGNALS_SINCE else 0)
    size = 8 if abi < 4 else 16 if abi < SIGNALS_SINCE else 24
    ruleset = syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, handled)
        syscall(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    """Allow it beneath a path, which may be missing."""
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            access &= _ON_FILES
        rule = _PathRule(access, parent)
        syscall(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)
