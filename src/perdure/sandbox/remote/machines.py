"""The contract of machines: each is there for one job, and thrown away with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from packaging.utils import canonicalize_name

from perdure.sandbox.base import Limits, Network


@dataclass(frozen=True, slots=True)
class There:
    """What a machine has: packages of Python by canonical name, a Node.js and its version."""

    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict[str, str])
    node: tuple[str, tuple[int, int]] | None = None


class Machine(Protocol):
    """A machine with Python, as the guest needs it. Whatever happens to it is no concern of ours."""

    async def there(self) -> There:
        """What it has; raises `SandboxUnavailable` where it cannot be started or has no Python."""
        ...

    async def answer(self, asked: bytes, seconds: float, most: int) -> bytes:
        """What the guest answers to a job (`program.asked`), at most so many bytes.

        Raises `TimeoutError` after so many seconds, `SandboxUnavailable` where it could not be asked.
        """
        ...

    async def close(self) -> None:
        """Throw it away with all that runs on it."""
        ...


class Machines(Protocol):
    """Where machines come from. Nothing is asked of it before the first job."""

    @property
    def name(self) -> str:
        """What they are: `docker`, `e2b`…"""
        ...

    @property
    def attended(self) -> bool:
        """Whether a machine ends with our connection to it."""
        ...

    async def take(self, limits: Limits, network: Network) -> Machine:
        """A machine for one job; raises `SandboxUnavailable`, also for a network that it cannot grant."""
        ...

    async def close(self) -> None:
        """Throw away what waits for jobs."""
        ...


def there(told: Mapping[str, Any]) -> There:
    """What a guest said of its machine; it is ours, and has run nothing of a job yet."""
    node: Any = told.get("node")
    has: dict[str, str] = told.get("packages") or {}
    packages: dict[str, str] = {canonicalize_name(name): has[name] for name in has}
    return There(str(told.get("python")), packages, _node(*node) if node else None)


def _node(program: str, said: str) -> tuple[str, tuple[int, int]] | None:
    try:
        major, minor = said.removeprefix("v").split(".")[:2]
        return program, (int(major), int(minor))
    except ValueError:
        return None
