"""What each kind of agent starts with: its base tools and the rules that steer them."""

from collections.abc import Iterable, Sequence
from typing import Any

from perdure.kit.text import storable
from perdure.tools.rules import ToolRule

BASE_TOOLS = {
    "letta_v1_agent": ("conversation_search", "memory_insert", "memory_replace"),
    "memgpt_agent": (
        "send_message",
        "conversation_search",
        "core_memory_append",
        "core_memory_replace",
        "memory",
        "memory_apply_patch",
    ),
    "memgpt_v2_agent": ("send_message", "conversation_search", "memory_insert", "memory_replace"),
    "react_agent": (),
    "workflow_agent": (),
    "sleeptime_agent": ("memory_insert", "memory_replace", "memory_rethink", "memory_finish_edits"),
    "voice_convo_agent": ("send_message", "search_memory"),
    "voice_sleeptime_agent": ("store_memories", "rethink_user_memory", "finish_rethinking_memory"),
}
MULTI_AGENT_TOOLS = (
    "send_message_to_agent_and_wait_for_reply",
    "send_message_to_agents_matching_tags",
    "send_message_to_agent_async",
)
TERMINAL = ("send_message", "memory_finish_edits")
WITHOUT_BASE_RULES = ("letta_v1_agent", "voice_sleeptime_agent")

Rule = dict[str, Any]


def wants_base_rules(agent_type: str, asked: bool | None, given: Sequence[Rule]) -> bool:
    """Whether base rules join the given ones: as asked, else by agent type.

    A v1 agent has none until it is given a rule about the flow; a rule about approval alone is not one,
    for it would cost the agent its parallel calls. The model's name plays no part.
    """
    if asked is not None:
        return asked
    if agent_type not in WITHOUT_BASE_RULES:
        return True
    return agent_type == "letta_v1_agent" and any(rule["type"] != "requires_approval" for rule in given)


def base_rules(base_tools: Iterable[str]) -> list[Rule]:
    """A terminal tool ends the turn, every other base tool lets it go on."""
    return [
        {"type": "exit_loop" if name in TERMINAL else "continue_loop", "tool_name": name}
        for name in base_tools
    ]


def stored_rules(rules: Iterable[ToolRule]) -> list[Rule]:
    """Rules of the wire as they are stored."""
    return [storable(rule.model_dump()) for rule in rules]


def with_rules(rules: Sequence[Rule], more: Iterable[Rule]) -> list[Rule]:
    """`rules` and those of `more` that do not repeat one, in order."""
    kept = list(rules)
    known = {(rule["type"], rule["tool_name"]) for rule in kept}
    for rule in more:
        if (rule["type"], rule["tool_name"]) not in known:
            known.add((rule["type"], rule["tool_name"]))
            kept.append(rule)
    return kept


def approval_rules(tools: Iterable[tuple[str, bool]]) -> list[Rule]:
    """The rules of tools that ask for approval by default: pairs of name and flag."""
    return [{"type": "requires_approval", "tool_name": name} for name, asks in tools if asks]
