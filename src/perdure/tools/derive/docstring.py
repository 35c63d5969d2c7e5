"""Docstrings in the styles of Google, NumPy and reST: what is told of a function, and of each parameter."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc

FIELDS = frozenset(
    {
        "args",
        "arguments",
        "parameters",
        "params",
        "keyword args",
        "keyword arguments",
        "other parameters",
        "attributes",
    }
)
HIDDEN = frozenset({"return", "returns", "raise", "raises", "yield", "yields", "warns", "receives"})
SHOWN = frozenset(
    {"example", "examples", "note", "notes", "see also", "references", "warning", "warnings", "todo"}
)
TITLES = FIELDS | HIDDEN | SHOWN
ENTRY = re.compile(r"^\*{0,2}(\w+)(?:\s*\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*:(?:\s+|$)(.*)$")
NUMPY_ENTRY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
REST_FIELD = re.compile(r"^[:@](\w+)(?:[ \t]+(?=[^ \t])([^:]*))?:(?:[ \t]+|$)(.*)$")
REST_PARAMETER = frozenset({"param", "parameter", "arg", "argument", "key", "keyword", "ivar", "cvar", "var"})
REST_OTHER = frozenset(
    {
        *("type", "vartype", "return", "returns", "rtype", "yield", "yields"),
        *("raise", "raises", "except", "exception"),
    }
)
MAX_TOGETHER = 20
BULLET = re.compile(r"^(?:[-*+•]|\d+[.)])\s")


@dataclass(slots=True)
class Doc:
    """What a docstring says: `description` without its sections on parameters, returns and errors."""

    description: str = ""
    texts: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class _Section:
    title: str = ""
    style: str = ""
    heading: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])


def read_docstring(text: str | None, names: Collection[str] = ()) -> Doc:
    """What a docstring says; `names` are the parameters, which help to read careless ones."""
    doc = Doc()
    kept: list[str] = []
    texts: dict[str, list[str]] = {}
    for section in _sections(cleandoc(text or "").splitlines(), names):
        if section.title in FIELDS:
            entries = _numpy_entries(section.lines) if section.style == "numpy" else None
            for name, line in entries or _google_entries(section.lines):
                texts.setdefault(name, []).append(line.strip())
        elif section.title not in HIDDEN:
            kept += [*section.heading, *_without_fields(section.lines, texts)]
    doc.texts = {name: _joined(lines) for name, lines in texts.items()}
    doc.description = "\n".join(_without_gaps(kept)).strip()
    return doc


def _sections(lines: Sequence[str], names: Collection[str]) -> Iterator[_Section]:
    """A docstring cut at its headings; what stands before the first has no title."""
    section = _Section()
    at = 0
    while at < len(lines):
        found = _heading(lines, at)
        if found or (section.style == "google" and _leaves(section, lines[at], names)):
            yield section
            section = found or _Section()
            at += len(section.heading)
            if found:
                continue
        section.lines.append(lines[at])
        at += 1
    yield section


def _heading(lines: Sequence[str], at: int) -> _Section | None:
    line = lines[at].rstrip()
    below = lines[at + 1].strip() if at + 1 < len(lines) else ""
    if line.lower() in TITLES and len(below) >= 3 and set(below) <= {"-", "="}:
        return _Section(line.lower(), "numpy", [line, lines[at + 1]])
    if line.endswith(":") and line[:-1].rstrip().lower() in TITLES:
        return _Section(line[:-1].rstrip().lower(), "google", [line])
    return None


def _leaves(section: _Section, line: str, names: Collection[str]) -> bool:
    """Whether a line is no longer part of a Google section: it is not indented."""
    if not line or line[0].isspace():
        return False
    entry = ENTRY.match(line)
    return not (section.title in FIELDS and entry and entry[1] in names)


def _google_entries(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a parameter and a line of its text: `name (type): text`, deeper lines go on."""
    margin = _margin(lines)
    name = ""
    for line in lines:
        entry = ENTRY.match(line[margin:])
        if entry:
            name = entry[1]
            yield name, entry[2]
        elif name and line.strip():
            yield name, line.strip()


def _numpy_entries(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The same for `name : type` with the text in deeper lines; `x, y : float` tells of both."""
    margin = _margin(lines)
    names: list[str] = []
    for line in lines:
        entry = NUMPY_ENTRY.match(line[margin:])
        if entry:
            names = [name.strip(" *") for name in entry[1].split(",")[:MAX_TOGETHER]]
        elif line.strip():
            yield from ((name, line.strip()) for name in names)


def _without_fields(lines: Sequence[str], texts: dict[str, list[str]]) -> Iterator[str]:
    """The lines that are not reST's `:param name: text`; those are added to the texts."""
    name: str | None = None
    inside = False
    for line in lines:
        entry = REST_FIELD.match(line)
        if entry and entry[1] in REST_PARAMETER | REST_OTHER:
            inside = True
            words = (entry[2] or "").split()
            name = words[-1].lstrip("*") if words and entry[1] in REST_PARAMETER else None
            if name:
                texts.setdefault(name, []).append(entry[3].strip())
        elif inside and line[:1].isspace():
            if name:
                texts[name].append(line.strip())
        elif not inside or line.strip():
            inside = False
            yield line


def _without_gaps(lines: Sequence[str]) -> Iterator[str]:
    """The lines with at most one blank line in a row, where sections were taken out."""
    before = ""
    for line in map(str.rstrip, lines):
        if line or before:
            yield line
        before = line


def _margin(lines: Sequence[str]) -> int:
    return min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)


def _joined(lines: Sequence[str]) -> str:
    """The lines of a text as one; items of a list keep theirs."""
    between = ("\n" if BULLET.match(line) else " " for line in lines)
    return "".join(f"{gap}{line}" for gap, line in zip(between, lines, strict=True) if line).strip()
