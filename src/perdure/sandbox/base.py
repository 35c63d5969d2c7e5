"""The sandbox contract: a job, its limits, what came of it, and who can run it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from perdure.kit.errors import Unavailable

Language = Literal["python", "javascript", "typescript"]
# `time` is the wall clock, `cpu` processor time, `memory` what the job's processes hold together.
Killed = Literal["time", "cpu", "memory", "crash"]

MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use. Bytes of output count for each of result, stdout and stderr."""

    wall_seconds: float = 30.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * MiB
    processes: int = 16
    file_bytes: int = 64 * MiB
    output_bytes: int = 1 * MiB


@dataclass(frozen=True, slots=True)
class Network:
    """Which hosts a job may reach: names, `*.names` or `*`; private addresses never. None by default.

    `server` is a URL of our own server, which a job with a run's token may call through the proxy.
    """

    hosts: tuple[str, ...] = ()
    server: str | None = None

    def __bool__(self) -> bool:
        return bool(self.hosts or self.server)


@dataclass(frozen=True, slots=True)
class Requirements:
    """Packages that must be there: lines like `pandas==2.2` (pip) and `left-pad@1.3.0` (npm)."""

    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pip or self.npm)


@dataclass(frozen=True, slots=True)
class Job:
    """One call of code that nobody vouches for.

    With `function`, the source is executed and the function called with `arguments` (any JSON); it may
    be async. Without, the source is a script, and its value is that of its last expression. `prelude` is
    code of ours in the same language: it runs first, in the same module, under a file name of its own, so
    that lines of tracebacks are the source's. Where it defines `__call__`, in Python, that is given the
    function and its arguments and makes the call. `env` is the whole
    environment of the code. A `nested` job is one that another job waits for, which has a place meanwhile:
    so they line up apart. `files` are put into its working folder; `keep` are the patterns of files to
    bring back from there.
    """

    source: str
    organization_id: str
    function: str | None = None
    prelude: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    language: Language = "python"
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: Limits = field(default_factory=Limits)
    network: Network = field(default_factory=Network)
    requirements: Requirements = field(default_factory=Requirements)
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    keep: Sequence[str] = ()
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    `value` is what it returned as JSON (what JSON cannot say, as its `str`). `error` is one line like
    `ValueError: no such city`, for a reader; the traceback, of the job's own frames, ends `stderr`.
    `stdout` and `stderr` are cut to the limit, and `dropped` counts the bytes that were left out of all.
    """

    status: Literal["success", "error"]
    value: Any = None
    error: str | None = None
    killed: Killed | None = None
    stdout: str = ""
    stderr: str = ""
    dropped: int = 0
    seconds: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


class SandboxUnavailable(Unavailable):
    """The job cannot be run here: no sandbox, no runtime for its language, or a package not to be had."""


class Sandbox(Protocol):
    """Runs jobs. Many may run at once; one whose task is cancelled is killed with all its processes."""

    @property
    def name(self) -> str:
        """What runs the jobs: `bubblewrap`, `landlock`, `docker`, `unsafe-local`…"""
        ...

    async def run(self, job: Job) -> Outcome:
        """Run it to its end or to a limit; the code's own faults are outcomes, never raised.

        Raises `SandboxUnavailable` when it could not be run at all.
        """
        ...

    async def close(self) -> None:
        """Kill what runs and give everything back."""
        ...
