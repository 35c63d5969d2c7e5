"""The command: `python -m bench --help`."""

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from bench import breakdown, install, processes, startup, timed
from bench.api import Api
from bench.custom_tool import with_a_custom_tool
from bench.history import history
from bench.messages import Bench, first_token, one_step, with_a_tool
from bench.processes import Child
from bench.raw import FORMATS, Format, Raw
from bench.report import Report
from bench.sandbox import sandbox
from bench.tail import spilling, tail
from bench.throughput import Servers, streams, throughput

PARTS = (
    "startup",
    "memory",
    "message",
    "stream",
    "tool",
    "custom",
    "history",
    "throughput",
    "streams",
    "tail",
    "sandbox",
    "breakdown",
    "install",
)
HELD = 200  # messages after which the memory is looked at again
OWN_ONLY = {"startup", "memory", "tail", "sandbox", "breakdown"}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What to measure, and how often."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure a V1 server beside raw calls of a scripted model server: without --url a "
        "Perdure server on a fresh home.",
    )
    add = parser.add_argument
    add("--only", default=",".join(PARTS), help="parts, separated by commas: %(default)s")
    add("--pairs", type=int, default=100, help="messages per figure, each beside a raw call [%(default)s]")
    add("--starts", type=int, default=7, help="starts of the server [%(default)s]")
    add("--stored", type=int, default=10_000, help="stored messages of the long history [%(default)s]")
    add("--levels", default="1,16,64", help="callers at once [%(default)s]")
    add("--messages", type=int, default=400, help="messages per level of throughput [%(default)s]")
    add("--formats", default="chat,responses,anthropic", help="formats of the model server [%(default)s]")
    add("--database-url", help="database of the started server; `postgres` starts a throw-away one")
    add("--url", help="measure this V1 server instead; let its providers point at --model-port")
    add("--key", help="its API key")
    add("--embedding", help="embedding handle for new agents, where a server wants one")
    add("--model", action="append", default=[], metavar="FORMAT=HANDLE", help="model handle for a format")
    add("--model-port", type=int, help="port of the scripted model server [any free one]")
    add("--environment", type=Path, help="virtual environment to weigh, with nothing but Perdure in it")
    add("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = arguments(given)
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise SystemExit(f"--only: there is no {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}.")
    with ExitStack() as stack:
        models = stack.enter_context(processes.model_server(options.model_port))
        options.database_url = processes.database_url(options.database_url, stack)
        report = Report()
        circumstances = _circumstances(options)
        for name, value in circumstances.items():
            print(f"{name}: {value}")
        _measure(options, chosen, models, report)
        report.section("At the end")
        report.note(processes.noise())
        if options.json:
            options.json.write_bytes(report.json(circumstances))


def _measure(options: argparse.Namespace, chosen: Sequence[str], models: Child, report: Report) -> None:
    if options.environment and "install" in chosen:
        install.weight(report, options.environment)
    if options.url:
        with _bench(options, options.url, models, report) as bench:
            _messages(options, [part for part in chosen if part not in OWN_ONLY], bench, None)
            _at_once(options, [part for part in chosen if part not in OWN_ONLY], bench, None)
        return
    if "startup" in chosen:
        startup.startup(report, lambda home: _perdure(options, home, models), options.starts)
    if "sandbox" in chosen:
        sandbox(report, options.messages)
    with tempfile.TemporaryDirectory(prefix="bench-home-") as home:
        if set(chosen) - {"startup", "install", "sandbox", "breakdown"}:
            with (
                _perdure(options, Path(home), models) as server,
                _bench(options, server.url, models, report) as bench,
            ):
                _messages(options, chosen, bench, server)
                _at_once(options, chosen, bench, server)
        if "breakdown" in chosen:
            _breakdown(options, Path(home), models, report)


def _messages(options: argparse.Namespace, chosen: Sequence[str], bench: Bench, server: Child | None) -> None:
    if server and "memory" in chosen:
        bench.report.section("Memory")
        startup.idle_memory(bench.report, server)
        _held(bench)
        startup.memory(bench.report, server, f"after {HELD} messages")
    measures = (
        ("message", one_step),
        ("stream", first_token),
        ("tool", with_a_tool),
        ("custom", with_a_custom_tool),
    )
    for part, measure in measures:
        if part in chosen:
            measure(bench)
            bench.api.clear()
    if "history" in chosen:
        history(bench, options.stored)
        bench.api.clear()


def _at_once(options: argparse.Namespace, chosen: Sequence[str], bench: Bench, server: Child | None) -> None:
    """What is measured with many callers; a database that servers can share has two of them."""
    levels = [int(level) for level in options.levels.split(",")]
    with tempfile.TemporaryDirectory(prefix="bench-home-") as home, ExitStack() as stack:
        started = [server] if server else []
        database = "server by URL" if options.url else (options.database_url or "sqlite").partition(":")[0]
        if server and options.database_url and {"throughput", "streams", "tail"} & set(chosen):
            started.append(stack.enter_context(server.beside(Path(home))))
        urls = [one.url for one in started] or [options.url]
        servers = Servers(urls, [one.pid for one in started], database)
        for part, measure in (("throughput", throughput), ("streams", streams)):
            if part in chosen:
                measure(bench, levels, options.messages, servers)
        if server and "tail" in chosen:
            spilling(bench, server)
            if started[1:]:
                tail(bench, started[1])
    if server and "memory" in chosen:
        bench.report.section("Memory")
        startup.memory(bench.report, server, "at the end of these measures")


def _held(bench: Bench) -> None:
    agents = [bench.api.create_agent(bench.formats[0].handle) for _ in range(10)]
    for number in range(HELD):
        bench.api.send(agents[number % len(agents)], "say:Hello there.")
    bench.api.clear()


def _breakdown(options: argparse.Namespace, home: Path, models: Child, report: Report) -> None:
    spans = home / "spans.json"
    server = _perdure(options, home, models, "bench.timed")
    server.environment[timed.FILE] = str(spans)
    with server, _bench(options, server.url, models, report) as bench:
        total, raw = breakdown.collect(bench)
    breakdown.tell(report, breakdown.spans_of(spans), total, raw)


def _perdure(options: argparse.Namespace, home: Path, models: Child, module: str = "perdure") -> Child:
    return processes.perdure(home, models.url, options.database_url, module)


@contextmanager
def _bench(options: argparse.Namespace, url: str, models: Child, report: Report) -> Iterator[Bench]:
    headers = {"authorization": f"Bearer {options.key}"} if options.key else {}
    with (
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
        httpx.Client(base_url=models.url, timeout=60) as bare,
    ):
        yield Bench(Api(client, options.embedding), Raw(bare), _formats(options), report, options.pairs)


def _formats(options: argparse.Namespace) -> list[Format]:
    handles = dict(pair.split("=", 1) for pair in options.model)
    names = options.formats.split(",")
    return [replace(one, handle=handles.get(one.name, one.handle)) for one in FORMATS if one.name in names]


def _circumstances(options: argparse.Namespace) -> dict[str, str]:
    return {
        "machine": f"{os.cpu_count()} processors {platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "database": (options.database_url or "sqlite").partition(":")[0] if not options.url else "?",
        "server": options.url or "a Perdure of this environment",
        "before": processes.noise(),
    }


if __name__ == "__main__":
    main()
