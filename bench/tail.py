"""Streams of background runs: what storing their frames costs, and how soon another server shows them."""

import threading
from collections.abc import Iterator
from statistics import median

import httpx
import orjson

from bench.api import said
from bench.messages import Bench
from bench.processes import Child, cpu_seconds
from bench.timing import clock, high

FRAMES = 2000
WATCHED = 200
SPACING_MS = 10
ROUNDS = 5


def spilling(bench: Bench, server: Child) -> None:
    """The same long answer streamed in the foreground and in the background, in turn."""
    bench.report.section(f"Streams of {FRAMES} frames (stream_tokens)")
    agents = {kind: bench.api.create_agent(bench.formats[0].handle) for kind in (False, True)}
    used: dict[bool, list[float]] = {False: [], True: []}
    taken: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for background, agent in agents.items():
            before, began = cpu_seconds(server.pid) or 0.0, clock()
            for _ in _lines(bench.api.client, _path(agent), _body(f"count:{FRAMES}", background)):
                pass
            taken[background].append((clock() - began) / FRAMES * 1e6)
            used[background].append(((cpu_seconds(server.pid) or 0.0) - before) / FRAMES * 1e6)
    for background, name in ((False, "foreground"), (True, "background")):
        note = f"server CPU {median(used[background]):.0f} us"
        bench.report.add(f"{name}, a frame", median(taken[background]), "us", note=note)
    bench.api.clear()


def tail(bench: Bench, other: Child) -> None:
    """A run at work in one server, followed from another one of the same database."""
    bench.report.section(f"A stream followed from another server, a frame every {SPACING_MS} ms")
    agent = bench.api.create_agent(bench.formats[0].handle)
    lines = _lines(bench.api.client, _path(agent), _body(f"slow:{SPACING_MS}\ncount:{WATCHED}", True))
    run_id = orjson.loads(next(lines)[6:])["run_id"]
    here: dict[str, float] = {}
    there: dict[str, float] = {}
    local = threading.Thread(target=_timed, args=(lines, here))
    local.start()
    with httpx.Client(base_url=other.url, headers=bench.api.client.headers, timeout=60) as client:
        _timed(_lines(client, f"/v1/runs/{run_id}/stream", {}), there)
    local.join()
    late = [(there[line] - here[line]) * 1000 for line in here if line in there]
    bench.report.add("later than in its own server", median(late), note=f"p95 {high(late):.1f} ms")
    bench.api.clear()


def _path(agent: str) -> str:
    return f"/v1/agents/{agent}/messages"


def _body(text: str, background: bool) -> dict[str, object]:
    return said([text]) | {"streaming": True, "stream_tokens": True, "background": background}


def _lines(client: httpx.Client, path: str, body: dict[str, object]) -> Iterator[str]:
    with client.stream("POST", path, json=body) as response:
        response.raise_for_status()
        yield from (line for line in response.iter_lines() if line.startswith("data: {"))


def _timed(lines: Iterator[str], when: dict[str, float]) -> None:
    for line in lines:
        when[line] = clock()
