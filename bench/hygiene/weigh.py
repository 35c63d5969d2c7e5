"""What stands in a memory beside what is true: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.hygiene.life import facts_in


@dataclass(frozen=True, slots=True)
class Weight:
    """Lines of a memory by what they are worth. `missing` are true facts that stand nowhere."""

    lines: int
    kept: int
    missing: int
    duplicates: int
    stale: int
    junk: int

    @property
    def clean(self) -> float:
        """The share of lines that say something true for the first time."""
        return self.kept / self.lines if self.lines else 1.0


def weigh(lines: Iterable[str], true: Mapping[str, str]) -> Weight:
    """Count each line as the best that it is: kept, said already, not true any more, or nothing of use."""
    seen: set[tuple[str, str]] = set()
    counts = Counter[str]()
    for line in (line for line in lines if line.strip()):
        facts = list(facts_in(line))
        current = {(topic, value) for topic, value in facts if true.get(topic) == value}
        if current - seen:
            counts["kept"] += 1
        elif current:
            counts["duplicates"] += 1
        else:
            counts["stale" if facts else "junk"] += 1
        seen |= current
    return Weight(
        lines=counts.total(),
        kept=counts["kept"],
        missing=len(true) - len(seen),
        duplicates=counts["duplicates"],
        stale=counts["stale"],
        junk=counts["junk"],
    )
