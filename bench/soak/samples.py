"""What a server holds over time, and whether that grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

MB = 1024.0
ALLOWED = 0.05  # of the mean, over the whole time that is judged


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment: memory in MB, of which `anonymous` is the process's own; files, threads, tasks, runs."""

    seconds: float
    resident: float
    anonymous: float
    files: int
    threads: int
    tasks: int
    runs: int
    blocks: int
    messages: int
    errors: int

    def line(self) -> str:
        """For people."""
        return (
            f"{self.seconds:6.0f} s  rss {self.resident:6.1f} MB  own {self.anonymous:6.1f} MB  "
            f"files {self.files:4d}  threads {self.threads:3d}  tasks {self.tasks:4d}  runs {self.runs:3d}  "
            f"blocks {self.blocks:7d}  messages {self.messages:7d}  errors {self.errors}"
        )


def take(pid: int, held: Path, seconds: float, messages: int, errors: int) -> Sample:
    """How a server stands now."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    told = orjson.loads(held.read_bytes() or b"{}") if held.exists() else {}
    return Sample(
        seconds,
        int(status["VmRSS"].split()[0]) / MB,
        int(status["RssAnon"].split()[0]) / MB,
        sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        int(status["Threads"]),
        told.get("tasks", 0),
        told.get("runs", 0),
        told.get("blocks", 0),
        messages,
        errors,
    )


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through values: their mean, how much it rises to the last, and how far they are from it."""

    mean: float
    rise: float
    scatter: float

    @property
    def flat(self) -> bool:
        """Whether it rises by less than is allowed, or than the values go up and down anyway."""
        return self.rise <= max(ALLOWED * self.mean, 2 * self.scatter)


def trend(seconds: Sequence[float], values: Sequence[float]) -> Trend:
    """The least-squares line."""
    middle, mean = sum(seconds) / len(seconds), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in seconds)
    pairs = list(zip(seconds, values, strict=True))
    slope = sum((at - middle) * (value - mean) for at, value in pairs) / spread
    off = [value - mean - slope * (at - middle) for at, value in pairs]
    scatter = (sum(each * each for each in off) / len(off)) ** 0.5
    return Trend(mean, slope * (seconds[-1] - seconds[0]), scatter)
