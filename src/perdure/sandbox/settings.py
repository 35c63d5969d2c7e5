"""What a person may set about sandboxes. Plain values; `perdure.config` reads them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from perdure.sandbox.base import Limits, MiB

Mode = Literal["auto", "bubblewrap", "landlock", "docker", "e2b", "unsafe-local", "off"]


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class EgressSettings(BaseModel):
    """What tools may reach where they were granted network at all."""

    model_config = ConfigDict(extra="forbid")

    ports: Annotated[frozenset[int], NoDecode, BeforeValidator(_split)] = Field(
        default=frozenset({80, 443}), description="The ports of other hosts that tools may connect to."
    )
    connections: int = Field(default=32, gt=0, description="Connections of one call at the same time.")
    max_bytes: int = Field(default=200_000_000, gt=0, description="The most one call may send and receive.")
    connect_seconds: float = Field(default=10.0, gt=0, description="How long connecting to a host may take.")
    idle_seconds: float = Field(default=60.0, gt=0, description="Silence after which a connection is ended.")


class EnvironmentSettings(BaseModel):
    """The packages that tools require: one folder for each set of them, kept while there is room."""

    model_config = ConfigDict(extra="forbid")

    disk_bytes: int = Field(
        default=5_000_000_000,
        gt=0,
        description="The disk that the packages of all tools may take; those not wanted for longest go.",
    )
    max_bytes: int = Field(default=1_000_000_000, gt=0, description="The most that one tool's may take.")
    seconds: float = Field(default=300.0, gt=0, description="How long installing one tool's may take.")
    builds: int = Field(default=1, gt=0, description="How many are installed at the same time.")
    warm: int = Field(
        default=6,
        gt=0,
        description="How many are kept loaded, each in a process of its own of 20 MB and more.",
    )


class DockerSettings(BaseModel):
    """Containers as sandboxes: each call in one of its own, which then goes."""

    model_config = ConfigDict(extra="forbid")

    image: str | None = Field(
        default=None,
        description="The image that calls run in, such as `python:3.13-slim`; it must be there, and have "
        "`python3` (3.11 or newer), the packages that tools require, and `node` for JavaScript.",
    )
    command: str = Field(
        default="docker", description="The command that starts containers: `docker` or `podman`."
    )
    runtime: str | None = Field(
        default=None, description="The engine's runtime for them if not its own, such as gVisor's `runsc`."
    )
    warm: int = Field(
        default=1,
        ge=0,
        description="How many containers are started ahead of calls: a call then takes "
        "milliseconds rather than half a second.",
    )


class E2bSettings(BaseModel):
    """Virtual machines of e2b as sandboxes: each call in one of its own. Needs the extra `e2b`."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr | None = Field(
        default=None,
        description="The account's key. With it, `auto` tries e2b last; with `e2b` as the mode, "
        "`E2B_API_KEY` does, too.",
    )
    template: str | None = Field(
        default=None, description="The template of the machines, if not e2b's own; it must have `python3`."
    )
    domain: str | None = Field(default=None, description="Where e2b is, if it is your own installation.")


class SandboxSettings(BaseModel):
    """Where the code of tools and of `run_code` runs, and what it may use."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = Field(
        default="auto",
        description="`auto` takes the first that holds here: `bubblewrap`, `landlock`, and where they are "
        "configured `docker` and `e2b`. `off` runs no code. "
        "`unsafe-local` runs it without any protection, as the server's own user.",
    )
    concurrency: int = Field(
        default=8, ge=1, le=48, description="How many calls run at once; further ones wait in line."
    )
    user: int = Field(
        default=60777,
        ge=1,
        description="The user id that sandboxes run as where the server is root. It should own nothing.",
    )
    node: Path | None = Field(
        default=None,
        description="The program `node` for tools in JavaScript and TypeScript, if not the newest.",
    )
    egress: EgressSettings = EgressSettings()
    environments: EnvironmentSettings = EnvironmentSettings()
    docker: DockerSettings = DockerSettings()
    e2b: E2bSettings = E2bSettings()
    wall_seconds: float = Field(default=30.0, gt=0, description="How long a call may take.")
    cpu_seconds: int = Field(default=10, ge=1, description="How much processor time a call may take.")
    memory_mb: int = Field(
        default=512, ge=32, description="Memory of all processes of a call together, in MiB."
    )
    processes: int = Field(default=16, ge=1, description="How many processes and threads a call may have.")
    files_mb: int = Field(default=64, ge=1, description="How much a call may keep in files, in MiB.")
    output_kb: int = Field(
        default=1024, ge=1, description="How much is kept of each of result and outputs, in KiB."
    )

    @property
    def slots(self) -> int:
        """How many calls have a place: two at least, for a program that calls tools and what it calls."""
        return max(2, self.concurrency)

    @property
    def programs(self) -> int:
        """How many programs that call tools run at once: half of all, so that what they call runs, too."""
        return self.slots // 2

    @property
    def limits(self) -> Limits:
        """The limits of a call that nobody set others for."""
        return Limits(
            self.wall_seconds,
            self.cpu_seconds,
            self.memory_mb * MiB,
            self.processes,
            self.files_mb * MiB,
            self.output_kb * 1024,
        )
