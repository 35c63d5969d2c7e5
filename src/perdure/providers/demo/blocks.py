"""The memory blocks of a system prompt, and the calls that change them. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.providers.base import ToolSpec
from perdure.providers.demo.facts import Fact, parse_line
from perdure.providers.demo.understand import as_own, sentences, stated

SECTION = re.compile(r"<memory_blocks>(.*?)</memory_blocks>", re.DOTALL)
OPENING = re.compile(r"<([^<>\n/][^<>\n]*)>[ \t]*\n(?=(?:<description>|<metadata>|<warning>|<value>))")
LINE_NUMBER = re.compile(r"^[ \t]*\d+→ ?", re.MULTILINE)

INSERTERS = ("memory_insert", "core_memory_append", "memory", "memory_rethink")
REPLACERS = ("memory_replace", "core_memory_replace", "memory", "memory_rethink")
MEMORY_TOOLS = {*INSERTERS, *REPLACERS, "memory_apply_patch"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the prompt shows it."""

    label: str
    value: str
    read_only: bool = False

    @property
    def lines(self) -> list[str]:
        """The lines that hold something."""
        return [line.strip() for line in self.value.splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A tool to call and its arguments, and the facts it would store."""

    name: str
    arguments: Mapping[str, Any]
    facts: tuple[Fact, ...] = ()


def blocks_of(system: str) -> list[Block]:
    """The blocks in the prompt's `<memory_blocks>`, in order."""
    section = SECTION.search(system)
    if section is None:
        return []
    text, found, position = section[1], list[Block](), 0
    while opening := OPENING.search(text, position):
        end = text.find(f"</{opening[1]}>", opening.end())
        if end < 0:
            position = opening.end()
            continue
        inner, position = text[opening.end() : end], end
        head, tag, value = inner.partition("<value>")
        if tag:
            value = LINE_NUMBER.sub("", value.rpartition("</value>")[0]).strip("\n")
            found.append(Block(opening[1], value, "read_only=true" in head))
    return found


def home_of(fact: Fact, blocks: Iterable[Block]) -> Block | None:
    """Where a fact belongs: in `human`, or `persona` for the agent itself; else any block one can write."""
    writable = [block for block in blocks if not block.read_only]
    wanted = "persona" if fact.about == "agent" else "human"
    other = "human" if fact.about == "agent" else "persona"
    by_label = {block.label.rpartition("/")[2]: block for block in writable}
    rest = [block for block in writable if block.label.rpartition("/")[2] != other]
    return by_label.get(wanted) or next(iter([*rest, *writable]), None)


def holds(block: Block, fact: Fact) -> bool:
    """Whether the block says the fact already."""
    wanted = fact.value.lower()
    if any(_same(parse_line(line), fact) for line in block.lines):
        return True
    # Free text, such as a block written by hand: the value as whole words of a line without a key.
    word = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
    return any(parse_line(line) is None and word.search(line.lower()) for line in block.lines)


def outdated(block: Block, fact: Fact) -> tuple[str, str] | None:
    """The text a new fact replaces and what takes its place: the same single-valued key, or a liking turned.

    A hand-written sentence keeps the rest of what it says.
    """
    opposite = {"Likes": "Dislikes", "Dislikes": "Likes"}.get(fact.key)
    for line in block.lines:
        known = parse_line(line)
        if known and fact.single and known.key.lower() == fact.key.lower() and not _same(known, fact):
            return line, fact.line
        if known and opposite == known.key and known.value.lower() == fact.value.lower():
            return line, fact.line
        for part in sentences(line) if known is None and fact.single else ():
            for said in stated(as_own(part)):
                if said.key == fact.key and said.value in part and part in block.value:
                    return part, part.replace(said.value, fact.value, 1)
    return None


def _same(known: Fact | None, fact: Fact) -> bool:
    return known is not None and known.line.lower() == fact.line.lower()


def plan_writes(
    facts: Iterable[Fact], blocks: list[Block], tools: Mapping[str, ToolSpec]
) -> list[PlannedCall]:
    """The calls that store facts: a replacement for each outdated line, one insertion for a block's rest."""
    calls: list[PlannedCall] = []
    fresh: dict[str, tuple[Block, list[Fact]]] = {}
    for fact in facts:
        block = home_of(fact, blocks)
        if block is None or holds(block, fact):
            continue
        old = outdated(block, fact)
        call = old and replace_call(block, *old, tools, (fact,))
        if call:
            calls.append(call)
        else:
            fresh.setdefault(block.label, (block, []))[1].append(fact)
    for block, new in fresh.values():
        call = insert_call(block, new, tools)
        if call:
            calls.append(call)
    return calls


def plan_removals(
    wishes: Iterable[str], blocks: list[Block], tools: Mapping[str, ToolSpec]
) -> list[PlannedCall]:
    """The calls that take the lines away which hold all content words of a wish to forget."""
    calls: list[PlannedCall] = []
    for wish in wishes:
        words = terms(wish)
        for block in blocks:
            doomed = [line for line in block.lines if words and words <= terms(line)]
            removals = (replace_call(block, line, "", tools) for line in doomed if not block.read_only)
            calls += [call for call in removals if call]
    return calls


def insert_call(block: Block, facts: list[Fact], tools: Mapping[str, ToolSpec]) -> PlannedCall | None:
    """The call that adds facts at the block's end, with whichever tool is offered."""
    text = "\n".join(fact.line for fact in facts)
    path = f"/memories/{block.label}"
    arguments: dict[str, dict[str, Any]] = {
        "memory_insert": {"label": block.label, "new_string": text},
        "core_memory_append": {"label": block.label, "content": text},
        "memory": {
            "command": "insert",
            "path": path,
            "insert_line": len(block.value.splitlines()),
            "insert_text": text,
        },
        "memory_rethink": {"label": block.label, "new_memory": f"{block.value}\n{text}".strip()},
    }
    name = next((name for name in INSERTERS if name in tools), None)
    return PlannedCall(name, arguments[name], tuple(facts)) if name else None


def replace_call(
    block: Block, old: str, new: str, tools: Mapping[str, ToolSpec], facts: tuple[Fact, ...] = ()
) -> PlannedCall | None:
    """The call that puts a line in another's place, or takes it away; null if no tool can do it safely."""
    old, new = _with_line_break(block, old, new)
    path = f"/memories/{block.label}"
    arguments: dict[str, dict[str, Any]] = {
        "memory_replace": {"label": block.label, "old_string": old, "new_string": new},
        "core_memory_replace": {"label": block.label, "old_content": old, "new_content": new},
        "memory": {"command": "str_replace", "path": path, "old_string": old, "new_string": new},
        "memory_rethink": {"label": block.label, "new_memory": block.value.replace(old, new, 1)},
    }
    unique = block.value.count(old) == 1
    names = [name for name in REPLACERS if name in tools and (unique or name == "memory_rethink")]
    return PlannedCall(names[0], arguments[names[0]], facts) if names else None


def old_text(arguments: Mapping[str, Any]) -> str:
    """The text a memory call replaces, whichever tool it calls."""
    return str(arguments.get("old_string") or arguments.get("old_content") or "").strip()


def new_text(arguments: Mapping[str, Any]) -> str:
    """The text a memory call puts in another's place."""
    return str(arguments.get("new_string") or arguments.get("new_content") or "").strip()


def _with_line_break(block: Block, old: str, new: str) -> tuple[str, str]:
    """When a line is taken away, one of its line breaks goes too."""
    if not new and f"{old}\n" in block.value:
        return f"{old}\n", new
    if not new and f"\n{old}" in block.value:
        return f"\n{old}", new
    return old, new


SHORTEST_PLURAL = 3
STOP_WORDS = frozenset(
    """
    a about all already am an and any anything are as at be been by can could d did do does ever
    find for from had has have he her hers him his how i if in is it its know let like ll look m me
    mention mentioned mine my of on or our please re remember s said say search see she so something
    t talk talked tell that the their them then there they thing this those to told up us ve was we
    were what when where which who why will with would you your yours
    """.split()  # noqa: SIM905 - a list of ninety quoted words is harder to read
)


def terms(text: str) -> frozenset[str]:
    """The content words of a text, lowercase, without plural endings."""
    words = re.findall(r"[^\W_]+", text.lower())
    return frozenset(_stem(word) for word in words if word not in STOP_WORDS)


def _stem(word: str) -> str:
    if len(word) <= SHORTEST_PLURAL or word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return word.removesuffix("ies") + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses", "zes")) else word.removesuffix("s")
