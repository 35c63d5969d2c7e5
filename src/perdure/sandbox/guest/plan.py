"""What a zygote is told: once how it confines, then for each call what it may use."""

import json
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
class Shape:
    """What a child is made for, before it knows its call. runtime: another than our Python is executed."""

    limits: Limits
    network: bool = False
    runtime: bool = False

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Shape":
        """The shape from JSON."""
        return cls(Limits(**told["limits"]), told["network"], told["runtime"])


def failed(error: BaseException) -> bytes:
    """Why something could not begin, as it is told to the server."""
    return json.dumps({"failed": f"{type(error).__name__}: {error}"[:2000]}).encode()
