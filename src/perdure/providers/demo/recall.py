"""Answering from memory and from what a search returned. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import orjson

from perdure.providers.demo.blocks import Block, terms
from perdure.providers.demo.facts import Fact, parse_line, upper_first
from perdure.providers.demo.questions import Question
from perdure.providers.demo.understand import as_own, sentences, stated

MOST_LINES = 4
T = TypeVar("T")

# Words people ask with, and the keys that answer them.
ALSO_CALLED = {
    "home": "live",
    "city": "live",
    "town": "live",
    "address": "live",
    "live": "live",
    "job": "work",
    "profession": "work",
    "occupation": "work",
    "hobby": "like",
    "color": "colour",
    "favorite": "favourite",
    "called": "name",
}


def known_facts(lines: Iterable[str], about: str = "human") -> list[Fact]:
    """The facts in some lines: `Key: value`, else whatever their sentences state."""
    found: list[Fact] = []
    for line in lines:
        fact = parse_line(line)
        found += [fact] if fact else [fact for part in sentences(line) for fact in stated(as_own(part))]
    return [Fact(fact.key, fact.value, "agent" if about == "agent" else fact.about) for fact in found]


def from_memory(question: Question, blocks: Sequence[Block], told: Sequence[Fact] = ()) -> str | None:
    """What memory answers to a question, as a sentence; nothing if it has no answer."""
    human = [block for block in blocks if block.label.rpartition("/")[2] != "persona"]
    lines = [line for block in human for line in block.lines]
    facts = [*told, *known_facts(lines)]
    if question.kind == "everything":
        return _everything(facts, lines)
    for key in question.keys:
        said = [fact.spoken for fact in _unique(facts) if fact.key.lower() == key.lower()]
        if said:
            return sentence(said)
    wanted = _wanted(question)
    needed = min(2, len(wanted)) if question.kind == "other" else 1
    owner = _alike(question.owner)
    lines = [line for line in lines if owner <= _alike(line)]
    facts = [fact for fact in facts if owner <= _alike(fact.line)]
    said = [fact.spoken for fact in _best(wanted, _unique(facts), lambda fact: _alike(fact.line), needed)]
    if said:
        return sentence(said[:MOST_LINES])
    quoted = _best(wanted, lines, _alike, needed)[:MOST_LINES]
    return "My memory says: " + " ".join(f"“{line}”" for line in quoted) if quoted else None


def _everything(facts: Sequence[Fact], lines: Sequence[str]) -> str | None:
    said = [fact.spoken for fact in _unique(facts)]
    covered = {fact.value.lower() for fact in facts}
    quoted = [line for line in lines if not any(value in line.lower() for value in covered)]
    parts = [sentence(said)] if said else []
    parts += ["I also have this in memory: " + " ".join(f"“{line}”" for line in quoted)] if quoted else []
    return " ".join(parts) or None


def from_search(question: Question, result: str, asked: str) -> str | None:
    """What a conversation search found, leaving out the question itself."""
    found = [text for text in found_texts(result) if not _echoes(text, asked)]
    facts = known_facts(found)
    for key in question.keys:
        said = [fact.spoken for fact in _unique(facts)[::-1] if fact.key.lower() == key.lower()]
        if said:
            return f"I found this in our past messages: {said[0]}."
    wanted = _wanted(question)
    best = _best(wanted, found, _alike) if wanted else found
    quoted = [f"“{text[:300].strip()}”" for text in dict.fromkeys(best)]
    return "I found this in our past messages: " + " ".join(quoted[:3]) if quoted else None


def found_texts(result: str) -> list[str]:
    """The contents of a search's results, whatever shape they came in."""
    try:
        parsed: Any = orjson.loads(result)
    except orjson.JSONDecodeError:
        return []
    return list(_contents(parsed))


def _contents(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _contents(item)
    elif isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if fields.get("role") == "assistant":
            return  # what the demo said itself proves nothing
        for key in ("results", "content", "text", "message"):
            inner = fields.get(key)
            if isinstance(inner, str) and key in ("content", "text"):
                yield _unwrapped(inner)
            elif isinstance(inner, list | dict):
                yield from _contents(inner)


def _unwrapped(text: str) -> str:
    """A message's own text, out of the JSON that some clients wrap it in."""
    try:
        parsed: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    fields = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    message = fields.get("message", text)
    return message if isinstance(message, str) else text


def _echoes(text: str, asked: str) -> bool:
    return text.strip().lower() == asked.strip().lower() or text.rstrip().endswith("?")


def search_query(question: Question) -> str:
    """What to search for: the question's content words in their order."""
    wanted = terms(question.text)
    words = re.findall(r"[^\W_]+", question.text)
    return " ".join(word for word in words if terms(word) & wanted) or question.text


def sentence(clauses: Sequence[str]) -> str:
    """Clauses as one sentence."""
    *first, last = clauses
    joined = f"{', '.join(first)} and {last}" if first else last
    return upper_first(joined).rstrip(".") + ("" if joined.endswith("”") and "." in joined[-3:] else ".")


def _wanted(question: Question) -> frozenset[str]:
    return _alike(question.text)


def _alike(text: str) -> frozenset[str]:
    return frozenset(ALSO_CALLED.get(word, word) for word in terms(text))


def _best(
    wanted: frozenset[str], items: Iterable[T], words: Callable[[T], frozenset[str]], needed: int = 1
) -> list[T]:
    """The items that share most words with the question, and as many as are needed."""
    scored = [(len(wanted & words(item)), item) for item in items]
    top = max((score for score, _ in scored), default=0)
    return [item for score, item in scored if score == top] if top >= max(needed, 1) else []


def _unique(facts: Iterable[Fact]) -> list[Fact]:
    """Facts without repetition; of a key that has one value, the first."""
    kept: dict[str, Fact] = {}
    for fact in facts:
        kept.setdefault((fact.key if fact.single else fact.line).lower(), fact)
    return list(kept.values())
