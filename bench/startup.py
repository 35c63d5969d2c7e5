"""Starting: until the first healthy answer, and how much memory an idle server holds."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.processes import Child, resident_mb
from bench.report import Report, Target

START = Target(1.0, "s")
IDLE = Target(150, "MB")
BACKGROUND_SECONDS = 4.0  # what is loaded in the background has come by then

Start = Callable[[Path], Child]


def startup(report: Report, start: Start, times: int) -> None:
    """Start on a database that exists and on none, `times` each after one for a warm disk."""
    report.section(f"Start to the first healthy answer (median of {times}, warm disk)")
    with tempfile.TemporaryDirectory(prefix="bench-home-") as folder:
        home = Path(folder) / "kept"
        _once(start, home)
        existing = [_once(start, home) for _ in range(times)]
        fresh = [_fresh(start, Path(folder)) for _ in range(times)]
        for name, taken in (("existing database", existing), ("fresh database", fresh)):
            report.add(name, median(taken), "s", target=START, note=f"fastest {min(taken):.2f} s")


def _once(start: Start, home: Path) -> float:
    with start(home) as server:
        return server.ready_seconds


def _fresh(start: Start, folder: Path) -> float:
    home = folder / "fresh"
    try:
        return _once(start, home)
    finally:
        shutil.rmtree(home)


def idle_memory(report: Report, server: Child) -> None:
    """What a server holds some seconds after its start, before its first request."""
    time.sleep(BACKGROUND_SECONDS)
    memory(report, server, "idle", IDLE)


def memory(report: Report, server: Child, when: str, target: Target | None = None) -> None:
    """What a server holds now."""
    resident = resident_mb(server.pid)
    if resident is not None:
        report.add(f"Resident memory, {when}", resident, "MB", target=target)
