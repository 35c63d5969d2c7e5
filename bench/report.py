"""What was measured, as lines for people and as JSON for comparing."""

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Target:
    """The most (or, with `at_least`, the least) a figure may be."""

    value: float
    unit: str = "ms"
    at_least: bool = False

    def met(self, figure: float) -> bool:
        """Whether a figure is good enough."""
        return figure >= self.value if self.at_least else figure <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, what it should be, and a remark."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, or nothing where nothing was aimed at."""
        return "" if self.target is None else "ok" if self.target.met(self.value) else "MISSED"


@dataclass(slots=True)
class Report:
    """Prints figures as they come and keeps them."""

    figures: list[Figure] = field(default_factory=list)

    def section(self, title: str) -> None:
        """Begin a group of figures."""
        print(f"\n{title}", flush=True)

    def add(
        self, name: str, value: float, unit: str = "ms", *, target: Target | None = None, note: str = ""
    ) -> None:
        """Note a figure."""
        figure = Figure(name, value, unit, target, note)
        self.figures.append(figure)
        digits = 0 if abs(value) >= 1000 else 2 if abs(value) < 100 else 1
        aim = f"{target!s:<12} {figure.verdict:<7}" if target else " " * 20
        print(f"  {name:<44} {value:>9.{digits}f} {unit:<5} {aim} {note}".rstrip(), flush=True)

    def note(self, text: str) -> None:
        """A remark of its own."""
        print(f"  {text}", flush=True)

    def json(self, circumstances: dict[str, Any]) -> bytes:
        """All figures and the circumstances they were measured in."""
        rows = [asdict(figure) | {"verdict": figure.verdict} for figure in self.figures]
        return orjson.dumps({"circumstances": circumstances, "figures": rows}, option=orjson.OPT_INDENT_2)
