"""What clients were told, to be compared with what is stored."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.agents import outcomes_in, unpaired, words_of


@dataclass(slots=True)
class Said:
    """One input: taken on (True), refused (False) or of unknown fate; and whether its answer came whole."""

    token: str
    taken: bool | None = None
    answered: bool = False
    how: str = ""  # what its sender was told, or the end of that


@dataclass(slots=True)
class Ledger:
    """One agent's inputs, and the sums of all checks."""

    agent_id: str
    said: list[Said] = field(default_factory=list[Said])
    forgetful: bool = False  # blocks are emptied now and then: what is not there any more may have been

    def faults(self, history: list[dict[str, Any]], notes: str) -> list[str]:
        """Where history and blocks differ from what clients were told."""
        heard = Counter(_token(m["content"]) for m in history if m["message_type"] == "user_message")
        answers = Counter(
            m["content"] for m in history if m["message_type"] == "assistant_message" and m["content"]
        )
        faults = [fault for said in self.said for fault in _compare(said, heard, answers)]
        if fault := unpaired(history):
            faults.append(fault)
        return faults + _edits(history, notes, self.forgetful)


def _compare(said: Said, heard: Counter[str], answers: Counter[str]) -> list[str]:
    times = heard[said.token]
    faults: list[str] = []
    if times > 1 or (said.taken is not None and times != said.taken):
        faults.append(f"{said} is stored {times} times")
    told = answers[f"Answer {said.token}."]
    if told > 1 or (said.answered and told != 1):
        faults.append(f"{said}: its answer is stored {told} times")
    return faults


def _edits(history: list[dict[str, Any]], notes: str, forgetful: bool) -> list[str]:
    """Edits that succeeded are there once, the others at most once."""
    faults: list[str] = []
    for call, status in outcomes_in(history):
        if words := words_of(call):
            times = notes.count(words)
            missing = not times and not forgetful and status == "success"
            if times > 1 or missing:
                faults.append(f"{call} was written {times} times")
    return faults


def _token(content: Any) -> str:
    """The token of an input, which is named in what the model is to say at the end."""
    return str(content).rpartition("Answer ")[2].rstrip(".")
