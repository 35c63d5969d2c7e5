"""Servers that are killed and started again, agents at work on them, and the checks after each kill."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from bench import processes
from bench.agents import AGENT, history_at
from bench.kills.caller import Caller
from bench.kills.ledger import Ledger
from bench.processes import Child

LEASE = 1.0
PATIENCE = 15.0
GENERATION = 10  # kills until fresh agents take over: contexts stay short


@dataclass(slots=True)
class Tally:
    """What happened, and what was wrong."""

    kills: int = 0
    inputs: int = 0
    answered: int = 0
    unsure: int = 0
    interrupted: int = 0  # runs that a kill left open
    slowest_end: float = 0.0  # seconds until the last of these had an end, once a server was there
    slowest_start: float = 0.0
    faults: list[str] = field(default_factory=list[str])


class Harness:
    """One or two servers on one database, and callers of some agents."""

    def __init__(
        self, stack: ExitStack, database_url: str | None, agents: int, seed: int, home: Path
    ) -> None:
        self.random = Random(seed)
        self.models = stack.enter_context(processes.model_server())
        count = 2 if database_url else 1
        self.servers = [self._server(home / f"server-{n}", database_url) for n in range(count)]
        stack.callback(self._stop)
        for server in self.servers:
            server.__enter__()
        self.agents = agents
        self.tally = Tally()
        self.ledgers: list[Ledger] = []

    def _server(self, home: Path, database_url: str | None) -> Child:
        server = processes.perdure(home, self.models.url, database_url)
        server.environment["PERDURE_RUNS_LEASE_SECONDS"] = str(LEASE)
        return server

    def _stop(self) -> None:
        for server in self.servers:
            server.kill()

    async def run(self, kills: int) -> Tally:
        """Kill that often, check after each; stops at the first thing that is wrong."""
        async with httpx.AsyncClient(timeout=30) as http:
            while self.tally.kills < kills and not self.tally.faults:
                if self.tally.kills % GENERATION == 0:
                    self._count()
                    url = self.servers[0].url
                    self.ledgers = [Ledger(await new_agent(http, url)) for _ in range(self.agents)]
                try:
                    await self._kill_once(http)
                except AssertionError as fault:
                    logs = [server.log() for server in self.servers if server.alive]
                    self.tally.faults += [str(fault), *logs]
                self.tally.kills += 1
            self._count()
            await self._check_requests(http)
        return self.tally

    async def _kill_once(self, http: httpx.AsyncClient) -> None:
        callers = [self._caller(http, ledger, self.servers) for ledger in self.ledgers]
        talking = [asyncio.create_task(caller.talk()) for caller in callers]
        await asyncio.sleep(self.random.uniform(0.05, 0.6))
        victim = self.random.choice(self.servers)
        victim.kill()
        for caller in callers:
            caller.stopped.set()
        await asyncio.gather(*talking)
        living = [server for server in self.servers if server is not victim]
        if living:
            await self._check(http, living)
        await asyncio.to_thread(victim.__enter__)
        self.tally.slowest_start = max(self.tally.slowest_start, victim.ready_seconds)
        await self._check(http, self.servers)

    def _caller(self, http: httpx.AsyncClient, ledger: Ledger, servers: Sequence[Child]) -> Caller:
        return Caller(http, [server.url for server in servers], ledger, self.random)

    async def _check(self, http: httpx.AsyncClient, servers: Sequence[Child]) -> None:
        """Runs end, the next message works, and what is stored is what clients were told."""
        callers = [self._caller(http, ledger, servers) for ledger in self.ledgers]
        await asyncio.gather(*(self._ended(http, caller) for caller in callers))
        await asyncio.gather(*(self._next(caller) for caller in callers))
        for caller in callers:
            history, notes = await stored(http, caller)
            faults = caller.ledger.faults(history, notes)
            self.tally.faults += [*faults, *(await standing(http, caller, history) if faults else ())]

    async def _ended(self, http: httpx.AsyncClient, caller: Caller) -> None:
        """No run of an agent is left open, but in line behind calls that wait for a word: they get it."""
        url = f"{caller.urls[0]}/v1/runs/?agent_id={caller.ledger.agent_id}&active=true"
        first, began = True, time.monotonic()
        while at_work := (await http.get(url)).raise_for_status().json():
            self.tally.interrupted += len(at_work) if first else 0
            first = False
            if time.monotonic() > began + PATIENCE + LEASE:
                history, _ = await stored(http, caller)
                told = await standing(http, caller, history)
                self.tally.faults += [f"runs without an end: {[run['id'] for run in at_work]}", *told]
                return
            await caller.decide()
            await asyncio.sleep(0.05)
        if not first:
            self.tally.slowest_end = max(self.tally.slowest_end, time.monotonic() - began)

    async def _next(self, caller: Caller) -> None:
        """The next message is answered, once what waits has been decided."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not await caller.decide() and await caller.hello():
                return
            await asyncio.sleep(0.02)
        self.tally.faults.append(f"the next message to {caller.ledger.agent_id} is not answered")

    def _count(self) -> None:
        """Add up what was said to the agents that are done."""
        said = [one for ledger in self.ledgers for one in ledger.said]
        self.tally.inputs += sum(one.taken is True for one in said)
        self.tally.unsure += sum(one.taken is None for one in said)
        self.tally.answered += sum(one.answered for one in said)

    async def _check_requests(self, http: httpx.AsyncClient) -> None:
        refused = (await http.get(f"{self.models.url}/refused")).json()
        self.tally.faults += [f"a vendor would refuse: {reason}" for reason in refused]


async def new_agent(http: httpx.AsyncClient, url: str) -> str:
    """An agent with a block, a tool that edits it and one that asks before; its id."""
    body = AGENT | {"model": "openai/gpt-4o-mini"}
    return (await http.post(f"{url}/v1/agents/", json=body)).raise_for_status().json()["id"]


async def stored(http: httpx.AsyncClient, caller: Caller) -> tuple[list[dict[str, Any]], str]:
    """An agent's whole history, and the block its tools edit."""
    history = await history_at(http, caller.path("messages?conversation_id=default"))
    notes = await http.get(caller.path("core-memory/blocks/notes"))
    return history, notes.json()["value"]


async def standing(http: httpx.AsyncClient, caller: Caller, history: Sequence[dict[str, Any]]) -> list[str]:
    """An agent's latest runs and messages, for the report of a fault."""
    listed = await http.get(f"{caller.urls[0]}/v1/runs/?agent_id={caller.ledger.agent_id}&limit=10")
    runs = [
        f"  {run['created_at']} {run['id']} {run['status']} {run['stop_reason']} {run['metadata']}"
        for run in listed.json()
    ]
    return [*runs, *map(_shown, history[-20:])]


def _shown(message: dict[str, Any]) -> str:
    words = str(message.get("content"))[:80]
    return f"  {message['date']} {message['run_id']} {message['message_type']} {words!r}"
