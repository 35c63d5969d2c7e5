"""The filter as a program: run here by a small machine, for both processors."""

import errno
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.sandbox.guest import seccomp
from perdure.sandbox.guest.numbers import NEWEST, numbers

ALLOW, KILL = 0x7FFF0000, 0x80000000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(code: bytes, machine: str, number: int, arguments: Sequence[int] = (), audit: int = 0) -> int:
    """What the kernel would make of a call."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack(
        "<IIQ6Q", number, audit or AUDIT[machine], 0, *(value & (1 << 64) - 1 for value in given)
    )
    value, place = 0, 0
    while True:
        kind, yes, no, operand = struct.unpack_from("<HBBI", code, place * 8)
        place += 1
        match kind:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                value &= operand
            case 0x15:
                place += yes if value == operand else no
            case 0x25:
                place += yes if value > operand else no
            case 0x45:
                place += yes if value & operand else no
            case 0x06:
                return operand
            case _:
                raise AssertionError(kind)


def refused(error: int) -> int:
    return 0x00050000 | error


MACHINES = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


@MACHINES
def test_what_is_refused_is_refused_and_the_rest_allowed(machine: str):
    code, known = seccomp.program(seccomp.rules(), machine), numbers(machine)
    for name in seccomp.REFUSED:
        if name in known:
            assert verdict(code, machine, known[name]) == refused(errno.EPERM), name
    assert verdict(code, machine, known["clone3"]) == refused(errno.ENOSYS)
    assert verdict(code, machine, NEWEST + 1) == refused(errno.ENOSYS)
    assert verdict(code, machine, 0) == ALLOW


@MACHINES
def test_arguments_decide(machine: str):
    code, known = seccomp.program(seccomp.rules(), machine), numbers(machine)

    def says(name: str, *arguments: int) -> int:
        return verdict(code, machine, known[name], arguments)

    assert says("clone", 0x00010000 | 17) == ALLOW
    assert says("clone", 0x10000000) == refused(errno.EPERM)
    assert says("socket", seccomp.AF_UNIX) == ALLOW
    for family in (2, 10, 16, 40):
        assert says("socket", family) == refused(errno.EAFNOSUPPORT)
    assert says("ioctl", 0, 0x5401) == ALLOW
    assert says("ioctl", 0, 0x5412) == refused(errno.EPERM)
    assert says("ioctl", 0, 1 << 32 | 0x5412) == refused(errno.EPERM)
    assert says("personality", 0xFFFFFFFF) == ALLOW
    assert says("personality", 0x0040000) == refused(errno.EPERM)


@MACHINES
def test_with_landlock_alone_more_is_refused(machine: str):
    known = numbers(machine)
    code = seccomp.program(seccomp.rules(sockets=(), files_by_path=False, signal_only=77), machine)

    def says(name: str, *arguments: int) -> int:
        return verdict(code, machine, known[name], arguments)

    assert says("socket", seccomp.AF_UNIX) == refused(errno.EAFNOSUPPORT)
    assert says("socketpair", seccomp.AF_UNIX) == ALLOW
    assert says("fchmodat") == refused(0)
    assert says("openat", 0, 0, 0o1000) == refused(errno.EPERM)
    assert says("openat", 0, 0, 0o1001 | 0o100) == ALLOW
    assert says("prlimit64", 0) == ALLOW
    assert says("prlimit64", 12) == refused(errno.EPERM)
    assert says("kill", 77) == says("kill", 0) == says("kill", -77) == ALLOW
    assert says("kill", -1) == says("kill", 78) == says("tkill", 77) == refused(errno.EPERM)
    assert says("tgkill", 77, 80) == ALLOW


@MACHINES
@settings(deadline=None)
@given(number=st.integers(0, 600))
def test_calls_of_another_kind_of_processor_are_the_end(machine: str, number: int):
    code = seccomp.program(seccomp.rules(), machine)
    other = next(audit for name, audit in AUDIT.items() if name != machine)
    assert verdict(code, machine, number, audit=other) == KILL


def test_calls_in_the_x32_way_are_the_end():
    code = seccomp.program(seccomp.rules(), "x86_64")
    assert verdict(code, "x86_64", 0x40000000 | 39) == KILL
