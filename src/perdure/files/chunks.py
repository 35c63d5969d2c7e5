"""Parts a text into passages where its structure parts it: headings, pages, functions, rows. Pure.

A passage is a run of whole lines; only a line that is too long for one is parted itself. Each line of the
text is in exactly one passage, in order. How good a place is to part at is a number for each line, and the
best place near the wanted size is taken.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from perdure.content.estimate import text_tokens
from perdure.files.kinds import Syntax
from perdure.files.views import lines_of

NEVER, ANY, SOFT, GOOD, BEST, ALWAYS = range(6)
HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
LIST_ITEM = re.compile(r"\s*([-*+]|\d{1,9}[.)])\s")
PAGE = re.compile(r"\[Page \d+\]$")
DEFINITION = re.compile(
    r"(export\s|public\s|private\s|protected\s|static\s|async\s|pub\s|abstract\s|final\s|default\s)*"
    r"(def|class|fn|func|function|impl|interface|struct|enum|trait|module|namespace|type|object|sub|defmodule|const|"
    r"CREATE|create|@)\b"
)
SENTENCE_END = re.compile(r"[.!?…。！？]['\"”’)]*\s|[。！？]")
SMALLEST = 3  # a passage is not parted before a third of the wanted size, unless a line demands it
LONG_PREFIX = 4  # what is repeated takes a quarter of the wanted size at most


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a file: its lines, counted from 1, and what it is under: headings, a table's header."""

    text: str
    first_line: int
    last_line: int
    under: str = ""

    @property
    def whole(self) -> str:
        """The passage as it is searched."""
        text = self.text.strip("\n")
        return f"{self.under}\n{text}" if self.under else text


Weigh = Callable[[str, str], int]  # a line and the one before it: how good it is to part between them


def chunks(text: str, syntax: Syntax, size: int) -> Iterator[Chunk]:
    """The passages of a text, of about `size` tokens each and never more than a half over it."""
    parter = _Parter(syntax, size)
    yield from parter.run(text)


@dataclass
class _Parter:
    """Takes lines one by one and gives passages when they are full."""

    syntax: Syntax
    size: int
    lines: list[tuple[int, str, int, int]] = field(default_factory=list[tuple[int, str, int, int]])
    tokens: int = 0
    header: str = ""
    headings: dict[int, str] = field(default_factory=dict[int, str])
    fenced: bool = False

    def run(self, text: str) -> Iterator[Chunk]:
        before = ""
        for number, line in enumerate(lines_of(text), 1):
            weight = self._weight(line, before)
            for piece in _pieces(line, self.size):
                yield from self._add(number, piece, weight)
                weight = SOFT
            before = line
        while self.lines:
            yield from self._flush(len(self.lines))

    def _add(self, number: int, line: str, weight: int) -> Iterator[Chunk]:
        tokens = text_tokens(line) + 1
        demanded = weight == ALWAYS or (weight == BEST and self.tokens * SMALLEST >= self.size)
        if self.lines and demanded:
            yield from self._flush(len(self.lines))
        while self.lines and self.tokens + tokens > self.size:
            yield from self._flush(self._best(weight))
        self.lines.append((number, line, weight, tokens))
        self.tokens += tokens

    def _best(self, coming: int) -> int:
        """Where to part what is gathered: before the line that comes, or before one of its later lines."""
        best, at, gathered = coming, len(self.lines), 0
        for index, (_, _, weight, tokens) in enumerate(self.lines):
            large_enough = gathered * SMALLEST >= self.size
            if large_enough and (weight > best or (weight == best and at < len(self.lines))):
                best, at = weight, index
            gathered += tokens
        return at

    def _flush(self, count: int) -> Iterator[Chunk]:
        taken, self.lines = self.lines[:count], self.lines[count:]
        self.tokens = sum(line[3] for line in self.lines)
        text = "\n".join(line for _, line, _, _ in taken)
        under = self._under(taken[0][1])
        for _, line, _, _ in taken:
            self._note(line)
        if text.strip():
            yield Chunk(text, taken[0][0], taken[-1][0], under)

    def _under(self, first: str) -> str:
        if self.syntax == "rows":
            return self.header
        own = HEADING.match(first) if self.syntax == "markdown" else None
        above = [words for level, words in sorted(self.headings.items()) if not own or level < len(own[1])]
        return _short(" > ".join(above), self.size)

    def _note(self, line: str) -> None:
        """Remember what the passages that come stand under."""
        if self.syntax == "rows" and not self.header:
            self.header = _short(line, self.size) if not line.startswith(("{", "[")) else ""
        if self.syntax != "markdown":
            return
        if line.lstrip().startswith("```"):
            self.fenced = not self.fenced
        if not self.fenced and (found := HEADING.match(line)):
            level = len(found[1])
            self.headings = {above: words for above, words in self.headings.items() if above < level}
            self.headings[level] = found[2].rstrip()

    def _weight(self, line: str, before: str) -> int:
        return WEIGHTS[self.syntax](line, before)


def _short(text: str, size: int) -> str:
    """What is repeated before passages, unless it is so long that it would crowd them out."""
    return text if text_tokens(text) * LONG_PREFIX <= size else ""


def _markdown(line: str, before: str) -> int:
    if HEADING.match(line):
        return BEST
    if before.startswith("#") and HEADING.match(before):
        return NEVER
    return _prose(line, before)


def _prose(line: str, before: str) -> int:
    if not before.strip() and line.strip():
        return GOOD
    return SOFT if LIST_ITEM.match(line) else ANY


def _pages(line: str, before: str) -> int:
    if PAGE.match(line):
        return ALWAYS
    return NEVER if PAGE.match(before) else _prose(line, before)


def _code(line: str, before: str) -> int:
    if DEFINITION.match(line):
        return NEVER if before.startswith("@") else BEST
    if line[:1].isspace() or not line:
        inner = DEFINITION.match(line.lstrip()) and not before.lstrip().startswith("@")
        return SOFT if inner or not before.strip() else ANY
    return GOOD if not before.strip() else SOFT


def _rows(_line: str, _before: str) -> int:
    return GOOD


def _json(line: str, before: str) -> int:
    indent = len(line) - len(line.lstrip())
    return (GOOD if indent <= 2 else SOFT) if before.rstrip().endswith(",") else ANY


WEIGHTS: dict[Syntax, Weigh] = {
    "markdown": _markdown,
    "pages": _pages,
    "code": _code,
    "rows": _rows,
    "json": _json,
    "text": _prose,
}


def _pieces(line: str, size: int) -> Iterable[str]:
    """A line as it is, or what it is parted into: at ends of sentences, else at spaces, else anywhere."""
    if len(line) < size or text_tokens(line) <= size:
        return (line,)
    return list(_parted(line, size))


def _parted(line: str, size: int) -> Iterator[str]:
    at = 0
    while at < len(line):
        end = at + _fitting(line[at : at + size * 5], size)
        if end < len(line):
            end = at + _end(line[at:end])
        yield line[at:end]
        at = end


def _fitting(text: str, size: int) -> int:
    """About how many characters of it make so many tokens, one at least."""
    tokens = text_tokens(text)
    return len(text) if tokens <= size else max(1, len(text) * size // tokens)


def _end(text: str) -> int:
    """Where to part a text that is as long as may be: in its later half."""
    half = len(text) // 2
    ends: Sequence[int] = [found.end() for found in SENTENCE_END.finditer(text, half)]
    for at in (ends[-1] if ends else 0, text.rfind(",", half) + 1, text.rfind(" ", half) + 1):
        if at > half:
            return at
    return len(text)
