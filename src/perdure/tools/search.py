"""Which tools fit a query, by its words. Pure."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from perdure.tools.store import ToolRow

MAX_WORDS = 40
WEIGHTS = (4, 2, 1)  # of a word in the name, in the tags, anywhere else
SATURATION, LENGTH = 1.2, 0.75  # of BM25
WORD = re.compile(r"[^\W_]+")
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def scores(query: str, rows: Sequence[ToolRow]) -> dict[str, float]:
    """How well tools fit (BM25), by id: those that have a word of the query, or one that begins with it."""
    terms = list(dict.fromkeys(words_in(query)))[:MAX_WORDS]
    documents = [_counted(row) for row in rows]
    usual = sum(document.total() for document in documents) / max(len(documents), 1)
    fit = [0.0] * len(rows)
    for term in terms:
        counts = [_count(document, term) for document in documents]
        having = sum(count > 0 for count in counts)
        rarity = math.log(1 + (len(rows) - having + 0.5) / (having + 0.5))
        for at, (count, document) in enumerate(zip(counts, documents, strict=True)):
            size = 1 - LENGTH + LENGTH * document.total() / max(usual, 1)
            fit[at] += rarity * count * (SATURATION + 1) / (count + SATURATION * size)
    return {row.id: value for row, value in zip(rows, fit, strict=True) if value > 0}


def words_in(text: str) -> list[str]:
    """The words of a text or of a name in snake or camel case, in lower case."""
    return WORD.findall(HUMP.sub(" ", text).lower())


def text_of(row: ToolRow) -> str:
    """What a tool is found by."""
    parts = (row.name, row.description, " ".join(row.tags), *_parameters(row))
    return "\n".join(part for part in parts if part)


def _counted(row: ToolRow) -> Counter[str]:
    words: Counter[str] = Counter()
    for weight, text in zip(
        WEIGHTS, (row.name, " ".join(row.tags), " ".join((row.description, *_parameters(row)))), strict=True
    ):
        for word in words_in(text):
            words[word] += weight
    return words


def _count(document: Counter[str], term: str) -> int:
    if len(term) < 3:
        return document[term]
    return sum(count for word, count in document.items() if word.startswith(term))


def _parameters(row: ToolRow) -> list[str]:
    """The names of the parameters with their descriptions."""
    properties: object = row.parameters.get("properties")
    if not isinstance(properties, dict):
        return []
    lines: list[str] = []
    for name, schema in cast("dict[str, Any]", properties).items():
        told: Any = cast("dict[str, Any]", schema).get("description") if isinstance(schema, dict) else None
        lines.append(f"{name}: {told}" if isinstance(told, str) else name)
    return lines
