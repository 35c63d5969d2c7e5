"""Messages a second when many agents are talked to at once."""

import http.client
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from urllib.parse import urlsplit

import orjson

from bench.api import said
from bench.messages import Bench
from bench.processes import cpu_seconds
from bench.timing import clock, high

PER_AGENT = 20


def throughput(bench: Bench, levels: Sequence[int], messages: int, pid: int | None, database: str) -> None:
    """One-step messages at several levels of concurrency, each caller with agents of its own."""
    bench.report.section(f"Throughput of one-step messages, {database} (callers share the processors)")
    for level in levels:
        total = max(messages, level * 4)
        agents = [
            bench.api.create_agent(bench.formats[0].handle) for _ in range(max(level, total // PER_AGENT))
        ]
        used = cpu_seconds(pid) if pid else None
        taken, elapsed = _drive(bench, level, agents, total)
        note = f"median {median(taken):.1f} ms, p95 {high(taken):.1f} ms"
        if pid and used is not None:
            note += f", server CPU {(cpu_seconds(pid) or 0.0) - used:.2f} s of {elapsed:.2f} s"
        bench.report.add(f"{level} at once", len(taken) / elapsed, "msg/s", note=note)
        bench.api.clear()


def _drive(bench: Bench, level: int, agents: Sequence[str], total: int) -> tuple[list[float], float]:
    """`level` threads with a connection each; returns milliseconds of each message, and all seconds."""
    base, headers = urlsplit(str(bench.api.client.base_url)), dict(bench.api.client.headers)
    start = threading.Barrier(level + 1)

    def talk(mine: Sequence[str]) -> list[float]:
        connection = http.client.HTTPConnection(base.hostname or "", base.port)
        connection.connect()
        start.wait()
        taken = [_send(connection, agent, headers) for agent in _turns(mine, total // level)]
        connection.close()
        return taken

    with ThreadPoolExecutor(level) as pool:
        waiting = [pool.submit(talk, agents[number::level]) for number in range(level)]
        start.wait()
        began = clock()
        taken = [ms for future in waiting for ms in future.result()]
        return taken, clock() - began


def _turns(agents: Sequence[str], total: int) -> Iterator[str]:
    """Agents one after the other, each for an even share of the messages."""
    for number in range(total):
        yield agents[number * len(agents) // total]


def _send(connection: http.client.HTTPConnection, agent: str, headers: dict[str, str]) -> float:
    """One message; `http.client` because a heavier client would take the processors from the server."""
    body = orjson.dumps(said(["say:Hello there."]))
    told = {"content-type": "application/json"} | {
        name: value for name, value in headers.items() if name == "authorization"
    }
    began = clock()
    connection.request("POST", f"/v1/agents/{agent}/messages", body, told)
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {content[:500]!r}")
    return (clock() - began) * 1000
