"""Messages a second, and first tokens, when many agents are talked to at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.api import said
from bench.load import Call, Load, call, drive
from bench.messages import TOKENS, Bench
from bench.processes import cpu_seconds
from bench.report import Target
from bench.timing import high

PER_AGENT = 20
FIRST = b'"w0 '  # the first token of `count:n`, in our frames as in the model server's


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers that share the load, and their database."""

    urls: Sequence[str]
    pids: Sequence[int]
    database: str

    @property
    def target(self) -> Target:
        return Target(150 if len(self.urls) == 1 else 200, "msg/s", at_least=True)


def throughput(bench: Bench, levels: Sequence[int], messages: int, servers: Servers) -> None:
    """One-step messages at several levels of concurrency, each caller with agents of its own."""
    count = len(servers.urls)
    title = f"Throughput of one-step messages, {servers.database}, {count} server process{'es' * (count > 1)}"
    bench.report.section(f"{title} (callers share the processors)")
    for level in levels:
        load, note = _measured(bench, servers, level, messages, "say:Hello there.", None)
        aim = servers.target if level > 1 else None
        bench.report.add(f"{level} at once", load.per_second, "msg/s", target=aim, note=note)


def streams(bench: Bench, levels: Sequence[int], messages: int, servers: Servers) -> None:
    """Streams at several levels of concurrency: the first token and how many a second, beside raw streams."""
    bench.report.section(f"Streams of {TOKENS} tokens at once, {servers.database} (raw: of the model server)")
    text = f"count:{TOKENS}"
    for level in levels:
        load, note = _measured(bench, servers, level, messages, text, FIRST)
        raw = _raw(bench, level, max(messages, level * 4) // level, text)
        for name, of in (("p50", median), ("p95", high)):
            beside = f"raw {of(raw.firsts):.1f} ms, {of(load.firsts) / of(raw.firsts):.1f} x"
            bench.report.add(f"{level} at once, first token, {name}", of(load.firsts), note=beside)
        rate = f"raw {raw.per_second:.0f}, {note}"
        bench.report.add(f"{level} at once, streams", load.per_second, "1/s", note=rate)


def _measured(
    bench: Bench, servers: Servers, level: int, messages: int, text: str, first: bytes | None
) -> tuple[Load, str]:
    total = max(messages, level * 4)
    handle = bench.formats[0].handle
    agents = [bench.api.create_agent(handle) for _ in range(max(level, total // PER_AGENT))]
    callers = [
        (
            url,
            [_say(bench, url, agent, text, first) for agent in _turns(agents[number::level], total // level)],
        )
        for number, url in zip(range(level), _around(servers.urls), strict=False)
    ]
    used = sum(cpu_seconds(pid) or 0.0 for pid in servers.pids)
    load = drive(callers)
    used = sum(cpu_seconds(pid) or 0.0 for pid in servers.pids) - used
    note = f"median {median(load.taken):.1f} ms, p95 {high(load.taken):.1f} ms"
    if servers.pids:
        note += f", servers' CPU {used:.2f} s of {load.elapsed:.2f} s"
    bench.api.clear()
    return load, note


def _around(urls: Sequence[str]) -> Iterator[str]:
    while True:
        yield from urls


def _turns(agents: Sequence[str], total: int) -> Iterator[str]:
    """Agents one after the other, each for an even share of the messages."""
    for number in range(total):
        yield agents[number * len(agents) // total]


def _say(bench: Bench, url: str, agent: str, text: str, first: bytes | None) -> Call:
    key = bench.api.client.headers.get("authorization")
    body = said([text]) | ({"streaming": True, "stream_tokens": True} if first else {})
    return call(url, f"/v1/agents/{agent}/messages", body, {"authorization": key} if key else {}, first)


def _raw(bench: Bench, level: int, each: int, text: str) -> Load:
    """The same number of streams of the model server itself."""
    form, url = bench.formats[0], str(bench.raw.client.base_url)
    ask = call(url, form.path, form.body(text, stream=True), dict(form.headers), FIRST)
    return drive([(url, [ask] * each)] * level)
