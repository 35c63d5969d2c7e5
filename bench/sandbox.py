"""Code of tools: what a call of the sandbox costs, warm and cold, alone and with others."""

import asyncio
import os
from collections.abc import Sequence
from statistics import median

from bench.processes import cpu_seconds
from bench.report import Report, Target
from bench.timing import clock, high
from perdure.sandbox.base import Job
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.settings import SandboxSettings

BACKENDS = ("bubblewrap", "landlock")
SOURCE = "def double(number: int) -> int:\n    return 2 * number\n"
AT_ONCE = 4
WARM, RATE = Target(15), Target(250, "/s", at_least=True)


def sandbox(report: Report, calls: int) -> None:
    """Each backend that can be started here; the targets are those of the one that servers take first."""
    for number, name in enumerate(BACKENDS):
        report.section(f"Sandbox: {name}")
        asyncio.run(_measure(report, name, calls, [WARM, RATE] if number == 0 else [None, None]))


async def _measure(report: Report, name: str, calls: int, targets: Sequence[Target | None]) -> None:
    opened = ChosenSandbox(SandboxSettings(mode=name))
    try:
        began = clock()
        await _call(opened, 0)
        report.add("first call, with start and trial", (clock() - began) * 1000)
        taken: list[float] = []
        for number in range(calls):
            began = clock()
            await _call(opened, number)
            taken.append((clock() - began) * 1000)
        report.add("warm call", median(taken), target=targets[0], note=f"p95 {high(taken):.1f} ms")
        began, used = clock(), cpu_seconds(os.getpid()) or 0.0
        await asyncio.gather(*(_calls(opened, calls // AT_ONCE) for _ in range(AT_ONCE)))
        rate = calls // AT_ONCE * AT_ONCE / (clock() - began)
        server = ((cpu_seconds(os.getpid()) or 0.0) - used) / calls * 1000
        note = f"server CPU {server:.1f} ms a call"
        report.add(f"calls, {AT_ONCE} at once", rate, "/s", target=targets[1], note=note)
    finally:
        await opened.close()


async def _calls(opened: ChosenSandbox, count: int) -> None:
    for number in range(count):
        await _call(opened, number)


async def _call(opened: ChosenSandbox, number: int) -> None:
    found = await opened.run(Job(SOURCE, "bench", "double", arguments={"number": number}))
    if found.value != 2 * number:
        raise SystemExit(f"A call of the sandbox failed: {found.error}")
