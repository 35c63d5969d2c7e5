"""The sandbox of machines: each job gets one of its own, and what is left of it is thrown away."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from perdure.sandbox.base import Job, Outcome, SandboxUnavailable
from perdure.sandbox.environments.lines import read_lines
from perdure.sandbox.node.command import node_command, runtime_for
from perdure.sandbox.node.runtime import OLDEST, NodeRuntime
from perdure.sandbox.outcome import why
from perdure.sandbox.remote.answer import most, read_answer
from perdure.sandbox.remote.machines import Machine, Machines, There
from perdure.sandbox.remote.program import RUNNER_PATH, asked

GRACE = 5.0  # what an answer may be late


class Away:
    """Runs jobs on machines; at most so many at once, others wait in line."""

    def __init__(self, machines: Machines, slots: int):
        self._machines = machines
        self._slots = asyncio.Semaphore(slots)
        self._closing = set[asyncio.Task[None]]()

    @property
    def name(self) -> str:
        return self._machines.name

    async def run(self, job: Job) -> Outcome:
        """One call, on a machine that nothing ran on before it."""
        if job.network.server:
            raise SandboxUnavailable(
                f"The sandbox {self.name} has no way back to this server, so its tools cannot use `client`."
            )
        async with self._slots, self._machine(job) as machine:
            argv = await self._argv(job, machine)
            question = asked(job, argv, attended=self._machines.attended)
            begun = time.monotonic()
            try:
                said = await machine.answer(question, job.limits.wall_seconds + GRACE, most(job.limits))
            except TimeoutError:
                return Outcome("error", None, why("time", job), "time", seconds=time.monotonic() - begun)
            return read_answer(job, said)

    async def close(self) -> None:
        """Throw all away."""
        await self._machines.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _machine(self, job: Job) -> AsyncGenerator[Machine]:
        machine = await self._machines.take(job.limits, job.network)
        try:
            yield machine
        finally:  # nobody who has an answer waits for that
            task = asyncio.create_task(machine.close(), name="sandbox thrown away")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _argv(self, job: Job, machine: Machine) -> Sequence[str]:
        """How the job's language is executed; raises `SandboxUnavailable` where the machine lacks a thing."""
        if job.requirements.npm:
            raise SandboxUnavailable(f"The sandbox {self.name} installs no npm packages.")
        if job.language == "python" and not job.requirements:
            return ()
        there = await machine.there()
        self._check(job, there)
        if job.language == "python":
            return ()
        node = runtime_for(_runtime(there), job)
        return node_command(node, job, lambda path, _: str(path) if path == node.program else RUNNER_PATH)

    def _check(self, job: Job, there: There) -> None:
        """Packages are those of the image; none is installed for a call."""
        for line in read_lines("pip", job.requirements.pip):
            wanted = Requirement(line)
            has = there.packages.get(wanted.name)
            if has is None or not wanted.specifier.contains(has, prereleases=True):
                raise SandboxUnavailable(
                    f"The sandbox {self.name} installs no packages, and {line} is not in its image"
                    f"{f', which has {has}' if has else ''}: build an image that has it."
                )


def _runtime(there: There) -> NodeRuntime | None:
    if there.node is None or there.node[1] < OLDEST:
        return None
    program, version = there.node
    return NodeRuntime(Path(program), version)
