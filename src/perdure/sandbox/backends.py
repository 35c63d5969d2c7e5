"""The ways to run code here: each makes zygotes, or says why it cannot."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from perdure.sandbox import bubblewrap, landlock
from perdure.sandbox.call import Listen
from perdure.sandbox.guest import landlock as landlock_guest
from perdure.sandbox.guest import seccomp
from perdure.sandbox.inside import Inside
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.zygote import Slots, Zygote


class MakeZygote(Protocol):
    """Makes a zygote for a world inside; `listen` takes the socket of a network that all its calls share."""

    def __call__(self, inside: Inside, slots: Slots, listen: Listen = ...) -> Zygote: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """One way: `zygote` makes one for a world inside.

    It is not started yet, and nothing is promised before the probe has run in it. is_trusted: taken without
    a trial. proxied: whether a network is its proxy alone. brokered: whether only Python can use that.
    confines_zygotes: whether a zygote can be without rights from its start. mounts: whether files can be
    seen inside at another place than outside.
    """

    name: str
    zygote: MakeZygote
    close: Callable[[], None] = lambda: None
    is_trusted: bool = False
    proxied: bool = True
    brokered: bool = False
    confines_zygotes: bool = False
    mounts: bool = False


def bubblewraps(settings: SandboxSettings) -> list[Backend]:
    """One for each bubblewrap that is installed."""
    return [_bubblewrap(binary, settings.user) for binary in bubblewrap.binaries()]


def _bubblewrap(binary: str, user: int) -> Backend:
    def make(inside: Inside, slots: Slots, listen: Listen = socket.socket.close) -> Zygote:
        return Zygote(
            lambda: bubblewrap.command(binary, inside, user), lambda: bubblewrap.plan(inside), slots, listen
        )

    confines = landlock_guest.version() > 0  # which keeps calls apart where they share their namespaces
    return Backend("bubblewrap", make, confines_zygotes=confines, mounts=True)


def landlocked(settings: SandboxSettings) -> Backend:
    """The one that Landlock and the filter hold; `close` removes its folder."""
    ground = landlock.Ground(settings.user)

    def make(inside: Inside, slots: Slots, listen: Listen = socket.socket.close) -> Zygote:
        return Zygote(
            lambda: landlock.command(inside, settings.user),
            lambda: landlock.plan(inside, ground, settings.slots),
            slots,
            listen,
        )

    # Before that, a zygote could send signals to those of others, for all are the same user's.
    confines = landlock_guest.version() >= landlock_guest.SIGNALS_SINCE
    return Backend("landlock", make, ground.close, brokered=True, confines_zygotes=confines)


def unsafe() -> Backend:
    """None: code runs as the server's own user and may do what that may."""
    ground = landlock.Ground(os.geteuid())

    def make(inside: Inside, slots: Slots, listen: Listen = socket.socket.close) -> Zygote:
        return Zygote(
            lambda: landlock.command(inside, None),
            lambda: landlock.unconfined(inside, ground.packages(inside.packages), ground),
            slots,
            listen,
        )

    return Backend("unsafe-local", make, ground.close, is_trusted=True, proxied=False)


def missing(name: str) -> str | None:
    """Why a backend cannot work on this machine, as far as that is known without trying."""
    if sys.platform != "linux":
        return "it needs Linux; run the server in a Linux container or virtual machine"
    if not seccomp.is_supported():
        return "the kernel has no seccomp filters for this processor"
    if name == "bubblewrap" and not bubblewrap.binaries():
        return "no bwrap is installed; install the package bubblewrap"
    if name == "landlock" and not landlock_guest.version():
        return "the kernel has no Landlock (it is in Linux from 5.13 on, as a security module to be enabled)"
    return None
