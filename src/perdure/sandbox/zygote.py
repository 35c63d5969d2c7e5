"""Runs jobs in forks of a zygote: started when first needed, and again when it dies."""

import asyncio
import dataclasses
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from perdure.sandbox import cgroups, process
from perdure.sandbox.base import Job, MiB, Outcome, SandboxUnavailable
from perdure.sandbox.call import Call
from perdure.sandbox.outcome import outcome
from perdure.sandbox.process import Command, Process
from perdure.sandbox.slots import Slots

log = logging.getLogger(__name__)

# Is given a socket that listens inside, for a proxy to answer on.
Listen = Callable[[socket.socket], None]
BUSY_PAUSES = (0.001,) * 1000
# Of a zygote that loads what is not ours, with all its calls.
MOST_MEMORY, MOST_PROCESSES = 2048 * MiB, 256
GRACE = 5.0  # what a supervisor may be late before all of its zygote is given up


class Zygote:
    """One warm interpreter. `run` may be called any number of times at once; `slots` bound how many run.

    command: makes what is to be executed, at each start. plan: what the guest is told (`guest/plan.Plan`).
    listen: takes the socket of a network that all calls share, at each start.
    """

    def __init__(
        self,
        command: Callable[[], Command],
        plan: Callable[[], Mapping[str, Any]],
        slots: Slots,
        listen: Listen = socket.socket.close,
    ):
        self._command = command
        self._plan = plan
        self._slots = slots
        self._listen = listen
        self._process: Process | None = None
        self._calls: dict[Call, Process | None] = {}
        self._booting = asyncio.Lock()
        self._ending = set[asyncio.Future[None]]()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process that is alive, if one is."""
        return self._process.inner if self._process else None

    async def start(self) -> None:
        """Be ready before the first call; raises `SandboxUnavailable`."""
        await self._ready()

    async def run(self, job: Job, *, argv: Sequence[str] = (), listen: Listen | None = None) -> Outcome:
        """One call.

        `argv` is another runtime, executed inside in place of our Python: it finds the job as a line of
        JSON (`source`, `function`, `arguments`…) on descriptor 3, and writes `{"value": …}` or
        `{"error": …}` as a line to descriptor 4. With `listen`, it may have internet sockets, in a network
        of its own that has nothing but a loopback, and the proxy is to answer on what `listen` is given.
        """
        slot = await self._slots.take()
        try:
            call = Call(job)
        except BaseException:
            self._slots.give(slot)
            raise
        call.when_over = lambda: self._over(call, slot)
        call.when_listening = listen or call.when_listening
        self._calls[call] = None
        try:
            await self._send(call, _message(job, slot, argv, network=listen is not None))
        except BaseException:
            call.close()
            raise
        return outcome(job, await self._told(call, job.limits.wall_seconds + GRACE), call)

    async def close(self) -> None:
        """Kill it with all calls."""
        self._closed = True
        if self._process:
            self._lost(self._process)
        await asyncio.gather(*self._ending)

    async def _told(self, call: Call, seconds: float) -> Mapping[str, Any]:
        """What its supervisor says of its end. Whoever stops waiting ends it."""
        watch = asyncio.get_running_loop().call_later(seconds, self._overdue, call)
        try:
            return await call.ended
        except BaseException:
            call.drop()
            raise
        finally:
            watch.cancel()

    async def _send(self, call: Call, message: bytes) -> None:
        """Give it to a living zygote."""
        for pause in (0.0, 0.0, *BUSY_PAUSES):
            await asyncio.sleep(pause) if pause else None
            alive = await self._ready()
            try:
                call.send(alive.control, message)
            except BlockingIOError:
                continue
            except OSError:
                self._lost(alive)
                continue
            self._calls[call] = alive
            return
        raise SandboxUnavailable("The sandbox takes no calls.")

    async def _ready(self) -> Process:
        async with self._booting:
            if self._closed:
                raise SandboxUnavailable("The sandbox is closed.")
            if self._process is None:
                alive = await asyncio.to_thread(self._boot)
                loop = asyncio.get_running_loop()
                loop.add_reader(alive.control.fileno(), self._lost, alive)  # it never says anything again
                self._process = alive
                if alive.listener:
                    self._listen(alive.listener)
            return self._process

    def _boot(self) -> Process:
        """Start it; blocks. One that loads what is not ours gets no control groups, but is in one itself."""
        plan, groups = self._plan(), self._slots.groups
        if not plan.get("filtered"):
            return process.boot(self._command(), plan, groups.names, groups.descriptors)
        own = cgroups.make(1)
        try:
            alive = process.boot(
                self._command(), plan, (), (), lambda pid: own.enter(pid, MOST_MEMORY, MOST_PROCESSES)
            )
        except BaseException:
            own.close()
            raise
        alive.release = own.close
        return alive

    def _lost(self, dead: Process) -> None:
        """A zygote ended, or is given up: its calls end, the next one starts another."""
        if self._process is not dead:
            return
        self._process = None
        loop = asyncio.get_running_loop()
        loop.remove_reader(dead.control.fileno())
        dead.control.close()
        for call in [call for call, where in self._calls.items() if where is dead]:
            call.close()
        if not self._closed:
            log.warning("The sandbox's zygote %s ended; the next call starts another.", dead.inner)
        ending = loop.run_in_executor(None, dead.kill)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _overdue(self, call: Call) -> None:
        if alive := self._calls.get(call):
            log.error("A call did not end when its time was over; its zygote is killed.")
            self._lost(alive)

    def _over(self, call: Call, slot: int) -> None:
        del self._calls[call]
        self._slots.give(slot)


def _message(job: Job, slot: int, argv: Sequence[str], *, network: bool) -> bytes:
    told = {
        "limits": dataclasses.asdict(job.limits),
        "keep": list(job.keep),
        "argv": list(argv),
        "network": network,
        "slot": slot,
    }
    return orjson.dumps(told)
