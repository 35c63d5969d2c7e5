"""Where the time of a one-step message goes, from a server with clocks around its parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import orjson

from bench.messages import PER_AGENT, Bench
from bench.report import Report
from bench.timing import paired, seconds

Spans = Mapping[str, Sequence[float]]


def collect(bench: Bench) -> tuple[float, float]:
    """Send messages to a timed server; the median of what the caller waits, and of the raw calls."""
    handle = bench.formats[0].handle
    agents = [bench.api.create_agent(handle) for _ in range(bench.pairs // PER_AGENT + 2)]
    turns = iter(agents[i // PER_AGENT] for i in range(len(agents) * PER_AGENT))
    measured = paired(
        bench.pairs,
        lambda: seconds(lambda: bench.api.send(next(turns), "say:Hello there.")),
        lambda: seconds(lambda: bench.raw.ask(bench.formats[0], "say:Hello there.")),
    )
    return measured.ms, measured.raw_ms


def tell(report: Report, spans: Spans, total: float, raw: float) -> None:
    """The parts of a message in the order they happen; they add up to what the caller waited."""
    report.section("Where the time of a one-step message goes (chat; clocks add a little)")

    def of(name: str) -> float:
        return median(spans[name]) if spans.get(name) else 0.0

    begin, end = "write accept", "write save_end"
    each = [  # read once for each message, whatever the unit of work is called
        name
        for name in spans
        if name.startswith("read ")
        and not name.endswith(", statements")
        and len(spans[name]) >= len(spans["answer"])
    ]
    reading = sum(map(of, each))
    parts = {
        "client, HTTP in the server, kernel": total - of("application"),
        "routing, auth, parsing the body": of("application") - of("answer"),
        "read the agent": reading,
        "find the model": of("resolve model"),
        "save the input, load the context": of(f"{begin}, statements"),
        "… wait for thread and commit": of(begin) - of(f"{begin}, statements"),
        "rest of accepting": of("accept") - reading - of("resolve model") - of(begin),
        "build the request": of("build request"),
        "model call, as long as a raw one": raw,
        "model call, over a raw one": of("model call") - raw,
        "save the answer and the run's end": of(f"{end}, statements"),
        "… wait for thread and commit ": of(end) - of(f"{end}, statements"),
        "serialize the answer": of("serialize"),
    }
    rest = of("answer") - of("accept") - of("build request") - of("model call") - of(end) - of("serialize")
    for name, ms in {**parts, "rest: tasks, events, readers": rest, "sum": total}.items():
        report.add(name.strip(), ms, note=f"{ms / total:4.0%}")


def spans_of(file: Path) -> Spans:
    """The spans a timed server wrote at its end."""
    return orjson.loads(file.read_bytes())
