"""Timing two things in turn, so that the machine's moods hit both alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

clock = time.perf_counter
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Paired:
    """Milliseconds of a server and of the raw calls that were timed in between."""

    server: Sequence[float]
    raw: Sequence[float]

    @property
    def ms(self) -> float:
        return median(self.server)

    @property
    def raw_ms(self) -> float:
        return median(self.raw)

    @property
    def ratio(self) -> float:
        return self.ms / self.raw_ms

    @property
    def over_ms(self) -> float:
        return self.ms - self.raw_ms

    @property
    def p95(self) -> float:
        return high(self.server)


def high(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def paired(pairs: int, server: Callable[[], float], raw: Callable[[], float]) -> Paired:
    """Call both in turn, some times to warm up and `pairs` times for the record; each returns its seconds."""
    for _ in range(min(WARM_UP, pairs)):
        raw()
        server()
    taken = [(raw() * 1000, server() * 1000) for _ in range(pairs)]
    return Paired([ours for _, ours in taken], [bare for bare, _ in taken])


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = clock()
    work()
    return clock() - began
