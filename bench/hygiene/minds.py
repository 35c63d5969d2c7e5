"""The models of the two: one that keeps what it hears, one that tidies up. Both follow fixed rules."""

import re

from bench.hygiene.life import facts_in
from perdure.content.parts import returns_of, text_of
from perdure.providers.base import ModelRequest
from perdure.testing.scripted import Reply, call, say

VALUE = re.compile(r"<human>.*?<value>\n(.*?)\n?</value>", re.DOTALL)
NUMBER = re.compile(r"^\d+→ ", re.MULTILINE)


def hasty(request: ModelRequest) -> Reply:
    """Keeps every word it hears, in its block and in its archive."""
    return _kept(request, everything=True)


def careful(request: ModelRequest) -> Reply:
    """Keeps only facts, but does not look whether it knows them."""
    return _kept(request, everything=False)


def tidy(request: ModelRequest) -> Reply:
    """Rewrites the block as its prompt shows it: of each topic the newest line, and nothing else."""
    last = request.messages[-1]
    if any(part.status == "success" for part in returns_of(last.parts)):
        return call("memory_finish_edits")
    block = VALUE.search(request.system)
    lines = NUMBER.sub("", block[1]).splitlines() if block else []
    newest: dict[str, str] = {}
    for line in lines:
        for topic, _ in facts_in(line):
            newest.pop(topic, None)
            newest[topic] = line
    return call("memory_rethink", label="human", new_memory="\n".join(dict.fromkeys(newest.values())))


def _kept(request: ModelRequest, *, everything: bool) -> Reply:
    last = request.messages[-1]
    heard = text_of(last.parts)
    if last.role != "user" or not (everything or any(facts_in(heard))):
        return say("I see.")
    kept = call("memory_insert", label="human", new_string=heard)
    return kept + call("archival_memory_insert", content=heard)
