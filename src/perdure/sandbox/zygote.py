"""Runs jobs in workers that a zygote forks: started when first needed, and again when it dies."""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from perdure.sandbox import process
from perdure.sandbox.base import Job, MiB, Outcome, SandboxUnavailable
from perdure.sandbox.call import Call, Listen
from perdure.sandbox.cgroups import Group, Groups
from perdure.sandbox.outcome import outcome
from perdure.sandbox.process import Command, Process
from perdure.sandbox.worker import Worker

log = logging.getLogger(__name__)

# Of a zygote that loads what is not ours, with all its calls.
MOST_MEMORY, MOST_PROCESSES = 2048 * MiB, 256
GRACE = 5.0  # what a worker may be late before all of its zygote is given up
MOST_IDLE = 4  # workers that wait for calls; after a while without any, one
IDLE_SECONDS = 30.0
ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Slots:
    """What all zygotes of a server share: places for calls at once, first come first served, and groups.

    Those that other calls wait for have places of their own, so that no call waits for its own place.
    """

    places: asyncio.Semaphore
    nested: asyncio.Semaphore
    groups: Groups


class Zygote:
    """One warm interpreter and its workers. `run` may be called any number of times at once.

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
        self._workers: set[Worker] = set()
        self._idle = deque[Worker]()  # in turn, so that each has made the child for its next call
        self._expected: Mapping[str, Any] | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._is_bounded = False  # the zygote itself is in control groups, with all calls
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
        places = self._slots.nested if job.nested else self._slots.places
        await places.acquire()
        try:
            call = Call(job, argv, places.release, listen or socket.socket.close)
        except BaseException:
            places.release()
            raise
        shape = {"limits": job.limits, "network": listen is not None, "runtime": bool(argv)}
        try:
            worker = await self._begin(call, shape, orjson.dumps({**shape, "keep": job.keep}))
        except BaseException:
            call.finish({})
            raise
        return outcome(job, await self._told(worker, call, job.limits.wall_seconds + GRACE), call)

    async def close(self) -> None:
        """Kill it with all calls."""
        self._closed = True
        if self._resting:
            self._resting.cancel()
        if self._process:
            self._lost(self._process)
        await asyncio.gather(*self._ending)

    async def _told(self, worker: Worker, call: Call, seconds: float) -> Mapping[str, Any]:
        """What is said of its end. Whoever stops waiting ends it."""
        watch = asyncio.get_running_loop().call_later(seconds, self._overdue, worker, call)
        try:
            return await call.ended
        except BaseException:
            if worker.call is call:
                worker.drop()
            raise
        finally:
            watch.cancel()

    async def _begin(self, call: Call, shape: Mapping[str, Any], message: bytes) -> Worker:
        """Give it to a worker that lives, and have another one ready, as long as they are few."""
        self._expected = shape
        for _ in range(ATTEMPTS):
            alive = await self._ready()
            worker = self._idle.popleft() if self._idle else self._hire(alive)
            try:
                worker.begin(call, message)
            except OSError:
                worker.close()
                continue
            if not self._idle and len(self._workers) < MOST_IDLE:
                self._wait(self._hire(alive))
            return worker
        raise SandboxUnavailable("The sandbox takes no calls.")

    def _hire(self, alive: Process, group: Group | None = None) -> Worker:
        """A worker more, which makes a child for a call like the last one before it is called."""
        if group is None and not self._is_bounded:
            group = self._slots.groups.take()
        life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        files = group.files if group else dict[str, int]()
        worker = Worker(life, group, self._freed)
        self._workers.add(worker)
        told = orjson.dumps({"expected": self._expected, "groups": list(files)})
        try:
            socket.send_fds(alive.control, [told], [theirs.fileno(), *files.values()])
        except OSError:  # the worker's end will be noticed, as `theirs` is closed
            self._lost(alive)
        finally:
            theirs.close()
        return worker

    def _freed(self, worker: Worker, *, again: bool, served: bool) -> None:
        """It waits for calls again, or has ended; one that served has a successor, so that one waits."""
        alive = self._process
        if again and alive and len(self._idle) < MOST_IDLE:
            self._wait(worker)
            return
        if again:
            worker.close()
            return
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if alive and served and not self._idle:
            self._wait(self._hire(alive, worker.group))
        elif worker.group:
            self._slots.groups.give(worker.group)

    def _wait(self, worker: Worker) -> None:
        if worker in self._workers:
            self._idle.append(worker)
        if len(self._idle) > 1 and not self._resting:
            self._resting = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        """End those that nobody wanted for a while, but one."""
        self._resting = None
        while len(self._idle) > 1 and self._idle[0].since < time.monotonic() - IDLE_SECONDS:
            self._idle[0].close()
        if len(self._idle) > 1:
            self._resting = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._rest)

    async def _ready(self) -> Process:
        async with self._booting:
            if self._closed:
                raise SandboxUnavailable("The sandbox is closed.")
            if self._process is None:
                alive = await self._boot()
                loop = asyncio.get_running_loop()
                loop.add_reader(alive.control.fileno(), self._lost, alive)  # it never says anything again
                self._process = alive
                if alive.listener:
                    self._listen(alive.listener)
            return self._process

    async def _boot(self) -> Process:
        """Start it. One that loads what is not ours gets no control groups, but is in one itself."""
        plan = await asyncio.to_thread(self._plan)
        self._is_bounded = bool(plan.get("filtered"))
        own = self._slots.groups.take() if self._is_bounded else None
        if own is None:
            return await asyncio.to_thread(process.boot, self._command(), plan)
        try:
            enter = partial(own.enter, memory_bytes=MOST_MEMORY, processes=MOST_PROCESSES)
            alive = await asyncio.to_thread(process.boot, self._command(), plan, enter)
        except BaseException:
            self._slots.groups.give(own)
            raise
        alive.release = partial(self._slots.groups.give, own)
        return alive

    def _lost(self, dead: Process) -> None:
        """A zygote ended, or is given up: its calls end, the next one starts another."""
        if self._process is not dead:
            return
        self._process = None
        loop = asyncio.get_running_loop()
        loop.remove_reader(dead.control.fileno())
        dead.control.close()
        for worker in list(self._workers):
            worker.close()
        if not self._closed:
            log.warning("The sandbox's zygote %s ended; the next call starts another.", dead.inner)
        ending = loop.run_in_executor(None, dead.kill)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _overdue(self, worker: Worker, call: Call) -> None:
        if worker.call is call and self._process:
            log.error("A call did not end when its time was over; its zygote is killed.")
            self._lost(self._process)
