"""The command: `python -m bench.soak --help`."""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

import httpx

from bench import processes
from bench.kills.caller import Caller
from bench.kills.harness import new_agent, stored
from bench.kills.ledger import Ledger
from bench.processes import Child
from bench.soak.samples import Sample, take, trend
from bench.soak.server import FILE

WARM_UP = 0.4  # of the whole time: caches fill until then
SAMPLES = 60
RESET = 20  # messages until an agent's context is emptied: it would grow for ever


def main() -> None:
    """Talk, sample, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="[%(default)s]")
    parser.add_argument("--agents", type=int, default=50, help="talked with at once [%(default)s]")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two messages [%(default)s]")
    parser.add_argument("--database-url", help="`postgres` starts a throw-away one; else a fresh SQLite file")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-home-")))
        models = stack.enter_context(processes.model_server())
        url = processes.database_url(options.database_url, stack)
        server = processes.perdure(home, models.url, url, "bench.soak.server")
        server.environment[FILE] = str(home / "held.json")
        stack.enter_context(server)
        faults = asyncio.run(_soak(server, home / "held.json", options))
        if faults:
            faults.append(f"the server's last words:\n{server.log()}")
    print("\n".join(faults) or "what clients were told is what is stored")
    sys.exit(bool(faults))


async def _soak(server: Child, held: Path, options: argparse.Namespace) -> list[str]:
    random = Random(1)
    limits = httpx.Limits(max_connections=options.agents + 10)
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:
        ledgers = [Ledger(await new_agent(http, server.url), forgetful=True) for _ in range(options.agents)]
        callers = [Caller(http, [server.url], ledger, random) for ledger in ledgers]
        talking = [asyncio.create_task(_talk(caller, options.pause)) for caller in callers]
        samples = await _sample(server.pid, held, callers, options.minutes * 60)
        for caller in callers:
            caller.stopped.set()
        failed = [str(one) for one in await asyncio.gather(*talking, return_exceptions=True) if one]
        return (
            failed + _judge(samples) + [fault for caller in callers for fault in await _check(http, caller)]
        )


async def _talk(caller: Caller, pause: float) -> None:
    """Say something, think, say something; now and then empty the agent's context and its block."""
    await asyncio.sleep(caller.random.uniform(0, pause * 2))
    while not caller.stopped.is_set():
        await caller.step()
        if len(caller.ledger.said) % RESET == 0:
            await caller.http.patch(caller.path("reset-messages"), json={})
            await caller.http.patch(caller.path("core-memory/blocks/notes"), json={"value": ""})
        await asyncio.sleep(caller.random.uniform(0, pause * 2))


async def _sample(pid: int, held: Path, callers: list[Caller], seconds: float) -> list[Sample]:
    began, samples = time.monotonic(), list[Sample]()
    while (passed := time.monotonic() - began) < seconds:
        await asyncio.sleep(min(seconds / SAMPLES, seconds - passed + 0.01))
        said = sum(len(caller.ledger.said) for caller in callers)
        errors = sum(caller.errors for caller in callers)
        samples.append(await asyncio.to_thread(take, pid, held, time.monotonic() - began, said, errors))
        print(samples[-1].line(), flush=True)
    return samples


def _judge(samples: list[Sample]) -> list[str]:
    """Say how what is held has changed since the warm-up; what grew is a fault."""
    judged = samples[int(len(samples) * WARM_UP) :]
    seconds = [sample.seconds for sample in judged]
    faults: list[str] = []
    for name in ("resident", "anonymous", "files", "threads", "tasks", "blocks"):
        line = trend(seconds, [getattr(sample, name) for sample in judged])
        verdict = "flat" if line.flat else "GROWS"
        print(
            f"{name}: mean {line.mean:.1f}, {line.rise:+.1f} in {seconds[-1] - seconds[0]:.0f} s: {verdict}"
        )
        if not line.flat and name != "resident":  # that has the database's own pages in it, too
            faults.append(f"{name} grows by {line.rise:.1f} over {line.mean:.1f}")
    return faults


async def _check(http: httpx.AsyncClient, caller: Caller) -> list[str]:
    while await caller.decide():
        pass
    if not await caller.hello():
        return [f"{caller.ledger.agent_id} does not answer"]
    return caller.ledger.faults(*await stored(http, caller))


if __name__ == "__main__":
    main()
