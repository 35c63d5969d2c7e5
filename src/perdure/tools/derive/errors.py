"""What is wrong with a source, and where."""

from dataclasses import dataclass, replace

from perdure.kit.errors import InvalidArgument


class NoSchema(InvalidArgument):
    """A source that cannot be a tool: the place in it and what to write instead."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a source, as errors name it."""

    line: int | None = None
    owner: str = ""
    name: str = ""

    def at(self, name: str, line: int | None = None) -> "Where":
        """The same for a parameter or a field."""
        return replace(self, name=name, line=line or self.line)

    def fault(self, problem: str) -> NoSchema:
        """The error that tells of a problem here."""
        line = f"line {self.line}" if self.line else ""
        name = f"{self.owner}({self.name})" if self.owner and self.name else self.owner or self.name
        place = ", ".join(part for part in ("source_code", line, name) if part)
        return NoSchema(f"{place}: {problem}")
