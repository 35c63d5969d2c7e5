"""The sandbox of a server: the first backend that holds here, found out when it is first needed."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.kit.errors import PerdureError
from perdure.sandbox import cgroups
from perdure.sandbox.backends import Backend, bubblewraps, landlocked, missing, unsafe
from perdure.sandbox.base import Job, Outcome, Sandbox, SandboxUnavailable
from perdure.sandbox.inside import Inside
from perdure.sandbox.probe import probe
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.slots import Slots
from perdure.sandbox.surroundings import Surroundings
from perdure.sandbox.zygote import Zygote

if TYPE_CHECKING:
    from perdure.sandbox.equipment import Equipment

log = logging.getLogger(__name__)

ADVICE = "docs/sandbox.md tells what to install or to allow."
UNSAFE = (
    "PERDURE_SANDBOX is unsafe-local: THE CODE OF TOOLS RUNS WITHOUT ANY PROTECTION, as the server's own "
    "user. It can read the server's database, keys and environment."
)
NOTHING_AROUND = Surroundings()
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


class ChosenSandbox:
    """Runs jobs in the first backend that its own trial could not break; refuses when there is none."""

    def __init__(self, settings: SandboxSettings, around: Surroundings = NOTHING_AROUND):
        self._settings = settings
        self._around = around
        self._found: Found | None = None
        self._choosing = asyncio.Lock()
        self._closed = False

    @property
    def name(self) -> str:
        return self._found.backend.name if self._found else self._settings.mode

    async def run(self, job: Job) -> Outcome:
        found = await self.choose()
        return await found.equipment.run(job)

    async def choose(self) -> Found:
        """What runs the jobs, after its trial; raises `SandboxUnavailable`, telling what was tried."""
        async with self._choosing:
            if self._closed:
                raise SandboxUnavailable("The sandbox is closed.")
            if self._found is None:
                self._found = await self._try_all()
                log.info("Code of tools runs in the sandbox %s.", self._found.backend.name)
            return self._found

    async def close(self) -> None:
        self._closed = True
        if self._found:
            await self._found.equipment.close()
            await self._found.zygote.close()
            self._found.slots.groups.close()
            self._found.backend.close()

    async def _try_all(self) -> Found:
        from perdure.sandbox.equipment import Equipment  # noqa: PLC0415 - servers start without it

        passed_over: list[Tried] = []
        groups = await asyncio.to_thread(cgroups.make, self._settings.slots)
        slots = Slots(self._settings.slots, groups)
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
        reasons = " ".join(f"{tried.name}: {tried.reason}" for tried in passed_over)
        raise SandboxUnavailable(f"This server has no sandbox to run code in. {reasons} {ADVICE}")

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
