"""The sandbox of a server: the first backend that holds here, found out when it is first needed."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.kit.errors import PerdureError
from perdure.sandbox.backends import Backend, bubblewraps, landlocked, missing, unsafe
from perdure.sandbox.base import Job, Outcome, Sandbox, SandboxUnavailable
from perdure.sandbox.cgroups import Groups
from perdure.sandbox.inside import Inside
from perdure.sandbox.probe import probe
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.surroundings import Surroundings
from perdure.sandbox.zygote import Slots, Zygote

if TYPE_CHECKING:
    from perdure.sandbox.equipment import Equipment
    from perdure.sandbox.remote.away import Away

log = logging.getLogger(__name__)

LEAST_NESTED = 8  # how deep calls may wait for each other, however few places there are
ADVICE = "docs/sandbox.md tells what to install or to allow."
UNSAFE = (
    "PERDURE_SANDBOX is unsafe-local: THE CODE OF TOOLS RUNS WITHOUT ANY PROTECTION, as the server's own "
    "user. It can read the server's database, keys and environment."
)
NOTHING_AROUND = Surroundings()
# Process ids below may be the machine's own, which have nothing to do with the server's.
NO_PROCESS_AWAY = 100_000
_OFF = "No code is run here: PERDURE_SANDBOX is off."


@dataclass(frozen=True, slots=True)
class Tried:
    """A backend that was passed over, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """The backend that holds, with its zygote for plain Python, and what was passed over before it."""

    backend: Backend
    slots: Slots
    zygote: Zygote
    equipment: "Equipment"
    passed_over: tuple[Tried, ...]

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def memory_held_by(self) -> str:
        """What keeps calls to their memory, in a word."""
        return "control groups" if self.slots.groups.places else "supervisors"

    async def run(self, job: Job) -> Outcome:
        """One call."""
        return await self.equipment.run(job)

    async def close(self) -> None:
        """End all that runs."""
        await self.equipment.close()
        await self.zygote.close()
        self.slots.groups.close()
        self.backend.close()


@dataclass(frozen=True, slots=True)
class FoundAway:
    """Machines elsewhere that hold, and what was passed over before them."""

    away: "Away"
    passed_over: tuple[Tried, ...]
    memory_held_by: str = "the machine of each call"

    @property
    def name(self) -> str:
        return self.away.name

    async def run(self, job: Job) -> Outcome:
        """One call."""
        return await self.away.run(job)

    async def close(self) -> None:
        """Throw all machines away."""
        await self.away.close()


class ChosenSandbox:
    """Runs jobs in the first backend that its own trial could not break; refuses when there is none."""

    def __init__(self, settings: SandboxSettings, around: Surroundings = NOTHING_AROUND):
        self._settings = settings
        self._around = around
        self._found: Found | FoundAway | None = None
        self._choosing = asyncio.Lock()
        self._closed = False

    @property
    def name(self) -> str:
        return self._found.name if self._found else self._settings.mode

    async def run(self, job: Job) -> Outcome:
        found = await self.choose()
        return await found.run(job)

    async def choose(self) -> Found | FoundAway:
        """What runs the jobs, after its trial; raises `SandboxUnavailable`, telling what was tried."""
        async with self._choosing:
            if self._closed:
                raise SandboxUnavailable("The sandbox is closed.")
            if self._found is None:
                self._found = await self._try_all()
                log.info("Code of tools runs in the sandbox %s.", self._found.name)
            return self._found

    async def close(self) -> None:
        self._closed = True
        if self._found:
            await self._found.close()

    async def _try_all(self) -> Found | FoundAway:
        passed_over: list[Tried] = []
        if found := await self._try_here(passed_over) or await self._try_away(passed_over):
            return found
        reasons = " ".join(f"{tried.name}: {tried.reason}" for tried in passed_over)
        raise SandboxUnavailable(f"This server has no sandbox to run code in. {reasons} {ADVICE}")

    async def _try_here(self, passed_over: list[Tried]) -> Found | None:
        from perdure.sandbox.equipment import Equipment  # noqa: PLC0415 - servers start without it

        groups = await asyncio.to_thread(Groups)
        count = self._settings.slots
        slots = Slots(asyncio.Semaphore(count), asyncio.Semaphore(max(count, LEAST_NESTED)), groups)
        for name, make in self._candidates():
            reason = missing(name)
            for backend in [] if reason else make():
                zygote = backend.zygote(Inside(), slots)
                try:
                    await (zygote.start() if backend.is_trusted else probe(zygote))
                except PerdureError as error:
                    reason = error.detail
                    await zygote.close()
                    backend.close()
                else:
                    equipment = Equipment(backend, slots, zygote, self._settings, self._around)
                    return Found(backend, slots, zygote, equipment, tuple(passed_over))
            passed_over.append(Tried(name, reason or "it is not installed"))
        groups.close()
        return None

    async def _try_away(self, passed_over: list[Tried]) -> FoundAway | None:
        from perdure.sandbox.remote.configured import configured  # noqa: PLC0415 - most servers have none

        for name, missing_part, make in configured(self._settings, self._around.environment):
            reason = missing_part
            if reason is None:
                away = make()
                try:
                    await probe(away, server=max(os.getpid(), NO_PROCESS_AWAY))
                except PerdureError as error:
                    reason = error.detail
                    await away.close()
                else:
                    return FoundAway(away, tuple(passed_over))
            passed_over.append(Tried(name, reason))
        return None

    def _candidates(self) -> Iterator[tuple[str, Callable[[], list[Backend]]]]:
        settings = self._settings
        if settings.mode in ("auto", "bubblewrap"):
            yield "bubblewrap", lambda: bubblewraps(settings)
        if settings.mode in ("auto", "landlock"):
            yield "landlock", lambda: [landlocked(settings)]
        if settings.mode == "unsafe-local":
            yield "unsafe-local", lambda: [unsafe()]


class NoSandbox:
    """Runs nothing."""

    name = "off"

    async def run(self, job: Job) -> Outcome:  # noqa: ARG002 - the contract's
        raise SandboxUnavailable(_OFF)

    async def close(self) -> None:
        return None


def open_sandbox(settings: SandboxSettings, around: Surroundings = NOTHING_AROUND) -> Sandbox:
    """The sandbox that is set; starts no process before the first job."""
    if settings.mode == "off":
        return NoSandbox()
    if settings.mode == "unsafe-local":
        log.warning(UNSAFE)
    return ChosenSandbox(settings, around)
