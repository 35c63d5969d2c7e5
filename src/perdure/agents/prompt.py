"""The compiled system prompt: a pure function of what an agent is made of.

Stable parts come first, so that a provider's prompt cache keeps hitting; the counts and the time at
the end are of the moment of compiling. `fingerprint` covers what the prompt *means*: while it is
the same, the stored text is sent again, byte for byte.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from perdure.files.render import Directories, render_directories
from perdure.memory.render import render_blocks
from perdure.memory.store import BlockRow
from perdure.tools.rules import rule_text

PLACE = "{CORE_MEMORY}"
NUMBERED_TYPES = ("letta_v1_agent", "memgpt_v2_agent", "sleeptime_agent")
WITHOUT_BLOCKS = ("react_agent", "workflow_agent")
STAMP = re.compile(r"^- System prompt last recompiled: (.+)$", re.MULTILINE)
NO_TEXTS: Mapping[str, str] = {}
REVISION = 1  # raise when the rendering changes, so that stored prompts are compiled anew


@dataclass(frozen=True, slots=True)
class Reader:
    """The model that reads a prompt: whose it is, and how much it can take in."""

    provider_type: str = ""
    context_window: int = 128_000


ANY_READER = Reader()


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a prompt is made of and is fingerprinted by; what open files say is told by their ids."""

    system: str
    blocks: tuple[BlockRow, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    numbered: bool = False
    directories: Directories | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a prompt tells of the moment it was compiled; no reason to compile it again."""

    agent_id: str
    stamp: str
    conversation_id: str = "default"
    recall: int = 0
    archival: int = 0
    archival_tags: tuple[str, ...] = ()


def ingredients(
    agent_type: str,
    system: str,
    blocks: Sequence[BlockRow],
    rules: Sequence[Mapping[str, Any]],
    provider_type: str = "",
    directories: Directories | None = None,
) -> Ingredients:
    """What the prompt of this kind of agent is made of; Claude reads and edits lines by number."""
    numbered = provider_type == "anthropic" and agent_type in NUMBERED_TYPES
    shown = () if agent_type in WITHOUT_BLOCKS else tuple(blocks)
    return Ingredients(system, shown, tuple(rules), numbered, directories)


def compose(made_of: Ingredients, at: Circumstances, texts: Mapping[str, str] = NO_TEXTS) -> str:
    """The text of the system message; `texts` are those of open files, by id.

    `{CORE_MEMORY}` in the base prompt says where the rest goes.
    """
    sections = (
        render_blocks(made_of.blocks, numbered=made_of.numbered),
        rule_text(made_of.rules),
        render_directories(made_of.directories, texts),
        metadata_text(at),
    )
    rest = "\n\n".join(section for section in sections if section)
    if PLACE in made_of.system:
        return made_of.system.replace(PLACE, rest, 1)
    return f"{made_of.system}\n\n{rest}" if made_of.system else rest


def metadata_text(at: Circumstances) -> str:
    """The section that tells an agent who and where it is, and how much it remembers out of view."""
    lines = [
        f"- AGENT_ID: {at.agent_id}",
        f"- CONVERSATION_ID: {at.conversation_id}",
        f"- System prompt last recompiled: {at.stamp}",
        f"- {at.recall} previous messages are kept in recall memory, found by searching the conversation",
    ]
    if at.archival:
        lines.append(f"- {at.archival} memories are kept in archival memory, found by searching it")
    if at.archival_tags:
        lines.append(f"- Available archival memory tags: {', '.join(at.archival_tags)}")
    return "\n".join(("<memory_metadata>", *lines, "</memory_metadata>"))


def stamp_of(text: str) -> str | None:
    """When a compiled prompt says it was compiled; its last word counts, a block may quote another."""
    stamps = STAMP.findall(text)
    return stamps[-1] if stamps else None


def restamped(at: Circumstances, old: str | None) -> Circumstances:
    """The same circumstances, but telling the time of an older prompt, if it told one."""
    kept = stamp_of(old) if old else None
    return replace(at, stamp=kept) if kept else at


def fingerprint(made_of: Ingredients) -> str:
    """Changes exactly when a prompt must be compiled again."""
    facts: list[Any] = [
        REVISION,
        made_of.system,
        made_of.numbered,
        [(b.label, b.value, b.description, b.limit, b.read_only) for b in made_of.blocks],
        list(made_of.rules),
    ]
    if made_of.directories:
        facts.append(made_of.directories)
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
