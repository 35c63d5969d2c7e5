"""Conversations in LoCoMo's format: turns, questions, and the turns that answer each."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVIDENCE = re.compile(r"D\d+:\d+")
KINDS = {1: "several hops", 2: "temporal", 3: "open domain", 4: "single hop", 5: "adversarial"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its kind, and the turns that answer it."""

    text: str
    kind: int
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns by their names, each as the text that is stored: speaker, date, words."""

    name: str
    turns: Mapping[str, str]
    questions: Sequence[Question]


def read(path: Path) -> list[Conversation]:
    """All conversations of a file; questions whose evidence is missing are left out."""
    return [_conversation(row) for row in json.loads(path.read_text())]


def _conversation(row: Mapping[str, Any]) -> Conversation:
    told: Mapping[str, Any] = row["conversation"]
    turns = {
        turn["dia_id"]: f"{turn['speaker']} ({told[f'{session}_date_time']}): {turn['text']}"
        for session in sorted((name for name in told if re.fullmatch(r"session_\d+", name)), key=_number)
        for turn in told[session]
    }
    questions = [
        Question(qa["question"], qa["category"], evidence)
        for qa in row["qa"]
        if (evidence := frozenset(EVIDENCE.findall(" ".join(qa.get("evidence") or ()))) & turns.keys())
    ]
    return Conversation(row["sample_id"], turns, questions)


def _number(session: str) -> int:
    return int(session.rpartition("_")[2])


def recall(evidence: frozenset[str], found: Sequence[str], k: int) -> float:
    """The share of the evidence among the first `k`."""
    return len(evidence & set(found[:k])) / len(evidence)
