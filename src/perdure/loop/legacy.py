"""Older agent types (`memgpt_agent` and its kin): every step is a tool call. Pure.

Their tools carry two more parameters: `thinking`, where the model reasons before it acts, and
`request_heartbeat`, by which it asks for another step.
"""

from collections.abc import Mapping
from typing import Any

LEGACY_TYPES = frozenset(
    {
        "memgpt_agent",
        "memgpt_v2_agent",
        "react_agent",
        "workflow_agent",
        "voice_convo_agent",
        "voice_sleeptime_agent",
    }
)
THINKING = {
    "type": "string",
    "description": "What you think before you act; nobody else sees it.",
}
HEARTBEAT = {
    "type": "boolean",
    "description": "True to go on with another step when this call has returned.",
}


def is_legacy(agent_type: str) -> bool:
    """Whether this kind of agent acts by tool calls only."""
    return agent_type in LEGACY_TYPES


def with_inner_parameters(schema: Mapping[str, Any], *, terminal: bool) -> dict[str, Any]:
    """The parameters of a tool as such an agent's model sees them; terminal tools ask for no heartbeat."""
    properties = {"thinking": THINKING, **schema.get("properties", {})}
    required = ["thinking", *schema.get("required", [])]
    if not terminal:
        properties["request_heartbeat"] = HEARTBEAT
        required.append("request_heartbeat")
    return {**schema, "type": "object", "properties": properties, "required": required}
