"""What a zygote is told: once how it confines, then for each call what it may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """How jobs are confined, the same for all calls of a zygote.

    namespaces: each call gets fresh ones. landlock: its version, where files are protected by it instead.
    filtered: the zygote itself is confined, before it loads anything. hidden: there are namespaces around
    it. readable: what Landlock lets jobs read. scratch: where the folders of calls are made when there are
    no namespaces. unconfined: no protection at all. network: all calls share one that has nothing but the
    proxy. other_processes: how many processes the user has beside those of the call.
    """

    namespaces: bool = True
    landlock: int = 0
    filtered: bool = False
    readable: tuple[str, ...] = ()
    scratch: str = "/tmp"
    unconfined: bool = False
    hidden: bool = False
    network: bool = False
    other_processes: int = 0
    paths: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Plan":
        """The plan from JSON."""
        lists = ("readable", "paths", "preload")
        fields: dict[str, Any] = {key: tuple(told[key]) if key in lists else told[key] for key in told}
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a call, as in the contract."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    processes: int
    file_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its limits, files to bring back, another runtime to execute, control groups to enter.

    broker: one descriptor, or none, that a job without internet sockets reaches its proxy by.
    """

    limits: Limits
    keep: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    network: bool = False
    groups: tuple[int, ...] = ()
    memory_events: int | None = None
    broker: tuple[int, ...] = ()
