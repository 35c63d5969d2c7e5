"""What a call of a tool may use and reach: its own wishes, its organization's, the server's maxima. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from perdure.kit.errors import explain
from perdure.sandbox.base import Limits, MiB
from perdure.tools.base import ToolFailed
from perdure.tools.settings import ToolSettings

ANY = "*"


class WantedLimits(BaseModel):
    """Limits as tools (`metadata_.limits`) and organizations write them; what is missing is the default's."""

    wall_seconds: float | None = Field(default=None, gt=0)
    cpu_seconds: int | None = Field(default=None, ge=1)
    memory_mb: int | None = Field(default=None, ge=64)
    processes: int | None = Field(default=None, ge=1)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a tool or an organization says about its calls. `hosts` narrows; None leaves it as it is."""

    limits: WantedLimits = field(default_factory=WantedLimits)
    hosts: tuple[str, ...] | None = None


def wishes_of(said: Mapping[str, Any] | None, who: str) -> Wishes:
    """The wishes in a tool's metadata or in a configuration; raises `ToolFailed` saying what is wrong there.

    `timeout` is what clients of older servers write for `limits.wall_seconds`.
    """
    said = {name: value for name, value in (said or {}).items() if value is not None}
    try:
        limits = WantedLimits.model_validate(said.get("limits", {}))
        if limits.wall_seconds is None and "timeout" in said:
            limits = WantedLimits.model_validate({**limits.model_dump(), "wall_seconds": said["timeout"]})
    except ValidationError as error:
        raise ToolFailed(f"The limits of {who} are not right: {explain(error.errors())}.") from error
    hosts: Any = said.get("hosts")
    if hosts is not None and not (isinstance(hosts, list) and all(isinstance(h, str) for h in hosts)):  # pyright: ignore[reportUnknownVariableType]
        raise ToolFailed(f"The hosts of {who} are not right: write a list of names.")
    return Wishes(limits, None if hosts is None else tuple(hosts))  # pyright: ignore[reportUnknownArgumentType]


def limits_of(defaults: Limits, settings: ToolSettings, organization: Wishes, tool: Wishes) -> Limits:
    """What a call may use: what the tool wants, else its organization, else the default, never too much."""
    first, second = tool.limits, organization.limits
    wall, cpu = first.wall_seconds or second.wall_seconds, first.cpu_seconds or second.cpu_seconds
    memory, processes = first.memory_mb or second.memory_mb, first.processes or second.processes
    return replace(
        defaults,
        wall_seconds=min(wall, settings.max_wall_seconds) if wall else defaults.wall_seconds,
        cpu_seconds=min(cpu, settings.max_cpu_seconds) if cpu else defaults.cpu_seconds,
        memory_bytes=min(memory, settings.max_memory_mb) * MiB if memory else defaults.memory_bytes,
        processes=min(processes, settings.max_processes) if processes else defaults.processes,
    )


def hosts_of(settings: ToolSettings, *wishes: Wishes) -> tuple[str, ...]:
    """The hosts a call may reach: the server's, narrowed by each wish."""
    hosts: Sequence[str] = settings.hosts
    for wish in wishes:
        if wish.hosts is not None:
            hosts = [*_within(wish.hosts, hosts), *_within(hosts, wish.hosts)]
    return tuple(dict.fromkeys(hosts))


def _within(patterns: Iterable[str], outer: Sequence[str]) -> list[str]:
    return [pattern for pattern in patterns if any(_covers(wide, pattern) for wide in outer)]


def _covers(wide: str, pattern: str) -> bool:
    """Whether all hosts of a pattern are among those of another: names, `*.names` or `*`."""
    wide, pattern = wide.strip().lower(), pattern.strip().lower()
    if wide in (ANY, pattern):
        return True
    return wide.startswith("*.") and pattern != ANY and pattern.endswith(wide.removeprefix(ANY))
