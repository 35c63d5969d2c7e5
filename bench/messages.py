"""Messages one at a time, each beside a raw call of the model server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from bench.api import Api
from bench.raw import Format, Raw
from bench.report import Report, Target
from bench.timing import Paired, clock, paired, seconds

PER_AGENT = 20  # messages until a fresh agent takes over: contexts stay short, as most conversations are
TOKENS = 32
RATIO = Target(6, "x")
OVER = Target(12)
FIRST = Target(6)


@dataclass(frozen=True, slots=True)
class Bench:
    """What the measures work with."""

    api: Api
    raw: Raw
    formats: Sequence[Format]
    report: Report
    pairs: int


def one_step(bench: Bench) -> None:
    """A message that the model answers at once."""
    bench.report.section("One-step message, blocking (raw: the same words to the model server)")
    for form in bench.formats:
        agents = agents_of(bench, form)
        measured = paired(
            bench.pairs,
            lambda agents=agents: sent(bench, next(agents), "say:Hello there."),
            lambda form=form: seconds(lambda: bench.raw.ask(form, "say:Hello there.")),
        )
        tell(bench.report, f"{form.name}", measured, RATIO)
        bench.report.add(f"{form.name}, over raw", measured.over_ms, target=OVER)


def first_token(bench: Bench) -> None:
    """A streamed message until its first token, and until its end."""
    bench.report.section(f"Streamed message of {TOKENS} tokens (stream_tokens)")
    for form in bench.formats:
        agents = agents_of(bench, form)
        ends: list[float] = []
        raw_ends: list[float] = []
        measured = paired(
            bench.pairs,
            lambda agents=agents, ends=ends: _streamed(bench, next(agents), ends),
            lambda form=form, ends=raw_ends: _raw_streamed(bench, form, ends),
        )
        whole = Paired(ends[-bench.pairs :], raw_ends[-bench.pairs :])
        tell(bench.report, f"{form.name}, first token", measured, RATIO)
        bench.report.add(f"{form.name}, first token, absolute", measured.ms, target=FIRST)
        tell(bench.report, f"{form.name}, whole stream", whole)


def sent(bench: Bench, agent: str, text: str) -> float:
    """The seconds of a message."""
    return seconds(lambda: bench.api.send(agent, text))


def _streamed(bench: Bench, agent: str, ends: list[float]) -> float:
    began = clock()
    first, last = bench.api.first_token(agent, f"count:{TOKENS}", clock)
    ends.append((last - began) * 1000)
    return first - began


def _raw_streamed(bench: Bench, form: Format, ends: list[float]) -> float:
    began = clock()
    first, last = bench.raw.first_token(form, f"count:{TOKENS}", clock)
    ends.append((last - began) * 1000)
    return first - began


def with_a_tool(bench: Bench) -> None:
    """A message for which the model edits its memory first: two model calls, one tool."""
    bench.report.section("Message with one memory tool call: two steps (raw: two calls)")
    numbers = count(1)
    for form in bench.formats:
        agents = agents_of(bench, form)
        measured = paired(
            bench.pairs,
            lambda agents=agents: sent(bench, next(agents), _remember(numbers)),
            lambda form=form: seconds(lambda: _twice(bench.raw, form)),
        )
        tell(bench.report, f"{form.name}", measured)


def _twice(raw: Raw, form: Format) -> None:
    raw.ask(form, "say:Noted.")
    raw.ask(form, "say:Noted.")


def _remember(numbers: Iterator[int]) -> str:
    arguments = f'{{"label": "human", "new_string": "Fact {next(numbers)}: likes figures."}}'
    return f"call:memory_insert {arguments}\nstep:\nsay:Noted."


def agents_of(bench: Bench, form: Format, **fields: Any) -> Iterator[str]:
    """An agent for each message, a new one every so often."""
    needed = (bench.pairs + PER_AGENT * 2) // PER_AGENT
    for agent in [bench.api.create_agent(form.handle, **fields) for _ in range(needed)]:
        for _ in range(PER_AGENT):
            yield agent


def tell(report: Report, name: str, measured: Paired, target: Target | None = None) -> None:
    """Report a ratio and what it is made of."""
    note = f"{measured.ms:.2f} ms (p95 {measured.p95:.2f}, raw {measured.raw_ms:.2f})"
    report.add(name, measured.ratio, "x", target=target, note=note)
